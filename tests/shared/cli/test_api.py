"""The cloud's API from the side of those who ask, as far as the real cloud would take too long to say it."""

import asyncio

import pytest

from folkmoot_cli.api import Unreachable, connect

STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    b'id: 1\r\nevent: round.opened\r\ndata: {"sequence": 1}\r\n\r\n'
    b": ping - 2026-01-01 00:00:00\r\n\r\n"  # the service's sign of life, every 15 s
    b'id: 2\r\nevent: round.closed\r\ndata: {"sequence": 2}\r\n\r\n'
)


async def test_a_sign_of_life_between_two_events_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM)
        await writer.drain()
        writer.close()

    monkeypatch.setenv("FOLKMOOT_TOKEN", "fm_any")
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"http://127.0.0.1:{port}", None) as cloud:
            events = cloud.events("any", 0)
            assert [await anext(events), await anext(events)] == [{"sequence": 1}, {"sequence": 2}]
            with pytest.raises(Unreachable, match="has ended the stream"):
                await anext(events)
