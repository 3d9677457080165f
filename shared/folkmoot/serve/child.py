"""`python -m folkmoot.serve.child THREADS`: the training process. An agent starts it (folkmoot.serve.training) and talks to it.

It reads requests from standard input and writes replies to standard output, does one job at a time, keeps the last program
loaded, and ends when its input closes: it cannot outlive the agent.
"""

import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from folkmoot.errors import FolkmootError, PeerFault, StoreFault, UserFault
from folkmoot.serve import conversation
from folkmoot.serve.batches import JobFault
from folkmoot.serve.conversation import Cancel, Done, Failed, Job, Ping, Pong, Quit, Reply, Request
from folkmoot.serve.lesson import Classroom

# Of -1000 to 1000, added to what the kernel reckons when memory runs out: the training goes before the agent, and before most
# of what else the device is for.
EXPENDABLE = 500


class Stopped(FolkmootError):
    """The agent does not want the job any more."""


class Pipe:
    """The child's end of the conversation."""

    def __init__(self, source: int, sink: int) -> None:
        """`source` and `sink`: file descriptors to read from and to write to. Nothing is buffered, so that select tells."""
        self._source = source
        self._sink = sink

    def receive(self) -> Request:
        """Gives the next request; Quit where the agent has gone."""
        head = self._read(conversation.HEAD.size)
        body = self._read(conversation.length(head)) if head else b""
        return conversation.request(body) if body else Quit()

    def send(self, reply: Reply) -> None:
        """Sends a reply."""
        rest = memoryview(conversation.frame(reply))
        while rest:
            rest = rest[os.write(self._sink, rest) :]

    def check(self) -> None:
        """Raises Stopped where the agent has said something, which while a job is being done can only be to stop it."""
        if select.select([self._source], [], [], 0)[0]:
            match self.receive():
                case Quit():
                    raise SystemExit(0)
                case _:
                    raise Stopped

    def _read(self, size: int) -> bytes:
        """Gives exactly `size` bytes, or none where the pipe closes before."""
        parts = bytearray()
        while len(parts) < size:
            part = os.read(self._source, size - len(parts))
            if not part:
                return b""
            parts += part
        return bytes(parts)


def attempt(classroom: Classroom, job: Job, check: Callable[[], None]) -> Done | Failed:
    """Gives what becomes of a job."""
    try:
        return classroom.teach(job, check)
    except Stopped:
        return Failed("cancelled")
    except (JobFault, PeerFault) as fault:
        return Failed(fault.reason, fault.detail)
    except UserFault as fault:
        return Failed("runtime", str(fault))
    except (StoreFault, OSError) as fault:
        return Failed("store", str(fault))
    except MemoryError:
        return Failed("memory", "there is not enough memory for the program, or its limit is too low")


def main(threads: int) -> None:
    """Serves requests until the agent ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the agent decides what it means
    with suppress(OSError):  # a sandbox may not have it
        Path("/proc/self/oom_score_adj").write_text(str(EXPENDABLE))
    sink = os.dup(1)
    os.dup2(2, 1)  # what a runtime prints must not get into the conversation
    pipe = Pipe(0, sink)
    classroom = Classroom(threads)
    while True:
        match pipe.receive():
            case Job() as job:
                pipe.send(attempt(classroom, job, pipe.check))
            case Ping():
                pipe.send(Pong())
            case Cancel():
                pass  # of a job that was done before it came
            case Quit():
                return


if __name__ == "__main__":
    main(int(sys.argv[1]))
