"""What a lower end says while its node can store nothing: that it is not ready and why, and no to whatever is asked of it.

Nothing is taken in meanwhile: what comes is not acknowledged, so that the broker has it when the node goes on.
"""

from collections.abc import Collection

import msgspec

from folkmoot.errors import PeerFault
from folkmoot.hop.batch import Send
from folkmoot.wire import codec
from folkmoot.wire.messages import Ask, Hello, Refuse, Request, Started, Status
from folkmoot.wire.topics import Tree


class Standstill:
    """The lower end of one hop, without its machines."""

    def __init__(
        self, tree: Tree, name: str, hello: Hello, known: Collection[bytes], limit: int, reason: str, why_not: str
    ) -> None:
        """`hello`: what it said until now; `known`: ids of Asks that the store holds; `limit`: bytes of a message.

        `reason` is the word of its refusals, `why_not` says it in a few.
        """
        self._tree = tree
        self._name = name
        self._hello: Hello = msgspec.structs.replace(hello, ready=False, why_not=why_not)
        self._known = known
        self._limit = limit
        self._reason = reason

    def announce(self, birth: int) -> list[Send]:
        """Says that the node is up and not ready; `birth`: of the connection that it has.

        The hello goes with it: a request for it may not get through, for the broker holds back what comes behind that which
        nobody acknowledges.
        """
        digest = codec.digest(codec.dump(self._hello))
        status = Status(state="up", birth=birth, hello=digest, software=self._hello.software)
        return [Send(self._name, status, retain=True), Send(self._name, self._hello)]

    def receive(self, topic: str, data: bytes) -> list[Send]:
        """Gives the reply to a message, where there is one.

        An Ask that the store holds is begun, and the node will go on with it; of any other nothing is kept but this refusal.
        """
        try:
            self._tree.place(topic)
            envelope = codec.unseal(data, limit=self._limit)
        except PeerFault:
            return []
        if envelope.dst != self._name:
            return []
        match envelope.body:
            case Request(what="hello"):
                return [Send(self._name, self._hello)]
            case Ask(run=run):
                why_not = self._hello.why_not
                reply = Started() if envelope.ask in self._known else Refuse(reason=self._reason, detail=why_not)
                return [Send(self._name, reply, envelope.ask, self._tree.shard(run))]
            case _:
                return []
