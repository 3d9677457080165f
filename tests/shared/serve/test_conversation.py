import pytest

from folkmoot.errors import PeerFault
from folkmoot.serve import conversation
from folkmoot.serve.conversation import Cancel, Done, Failed, Job, Ping, Pong, Quit, Reply, Request
from folkmoot.wire.messages import Plan

JOB = Job(device="d1", program="p", examples="e", out="o", block=b"\x00\xff", plan=Plan(steps=3, proximal=0.1), seed=1 << 47)


def body(message: Request | Reply) -> bytes:
    """Gives a framed message without its head."""
    data = conversation.frame(message)
    assert conversation.length(data[: conversation.HEAD.size]) == len(data) - conversation.HEAD.size
    return data[conversation.HEAD.size :]


@pytest.mark.parametrize("message", [JOB, Cancel(), Ping(), Quit()])
def test_a_request_arrives_as_it_was_sent(message: Request) -> None:
    assert conversation.request(body(message)) == message


@pytest.mark.parametrize(
    "message",
    [Done(path="f", digest=bytes(32), size=9, metrics={"eval_count": 3}, seconds=0.5), Failed("died", "of old age"), Pong()],
)
def test_a_reply_arrives_as_it_was_sent(message: Reply) -> None:
    assert conversation.reply(body(message)) == message


def test_a_reply_is_no_request() -> None:
    with pytest.raises(PeerFault, match="malformed"):
        conversation.request(body(Pong()))


def test_a_head_that_asks_for_more_than_any_model_is_refused() -> None:
    with pytest.raises(PeerFault, match="oversized"):
        conversation.length(b"\xff\xff\xff\xff")
