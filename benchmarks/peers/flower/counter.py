"""Counts what passes between clients and a server that speaks HTTP/1.1 without TLS: bytes each way, and requests."""

import re
import socket
import threading

_REQUEST = re.compile(rb"(?:GET|POST|PUT|PATCH|DELETE) /\S* HTTP/1\.1\r\n")
_KEPT = 512  # bytes of what came before, in which a request line may have begun


class Counter:
    """A TCP proxy on a port of its own."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._counts = {"up": 0, "down": 0, "requests": 0}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> "Counter":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def counts(self) -> dict[str, int]:
        """Gives what has passed so far."""
        with self._lock:
            return dict(self._counts)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            for one, other, way in ((near, far, "up"), (far, near, "down")):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pump, args=(one, other, way), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        tail = b""
        try:
            while piece := source.recv(65_536):
                text = tail + piece
                ends = [match.end() for match in _REQUEST.finditer(text)] if way == "up" else []
                # What a line ended in that was counted before must not be in the tail.
                tail = text[max([*ends, len(text) - _KEPT]) :]
                with self._lock:
                    self._counts[way] += len(piece)
                    self._counts["requests"] += len(ends)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return
