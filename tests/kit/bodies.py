"""Every kind of message, made up by hypothesis within the ranges that the protocol gives."""

from hypothesis import strategies as st

from folkmoot.wire import messages as m
from folkmoot.wire.codec import Envelope
from folkmoot.wire.messages import Body

NAMES = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
WORDS = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
DIGESTS = st.binary(min_size=32, max_size=32)
COUNTS = st.integers(0, (1 << 53) - 1)
SIZES = st.integers(0, m.BLOB)
TEXT = st.text(max_size=64)
SCALARS = st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | TEXT
PIECES = st.integers(1024, 1 << 20)

plans = st.builds(
    m.Plan,
    epochs=st.integers(0, 1000),
    steps=st.integers(0, 1_000_000),
    learning_rate=st.floats(0, 100, exclude_min=True),
    proximal=st.floats(0, 1000),
    max_examples=COUNTS,
    seed=COUNTS,
    only=st.lists(st.text(min_size=1, max_size=200), max_size=3).map(tuple),
)
invited = st.builds(m.Invited, device=NAMES, note=st.binary(max_size=40))
LOCAL = st.integers(0, 31)
offlines = st.builds(m.Offline, staleness=st.integers(0, 1000), discount=st.floats(0, 2), rounds=LOCAL, seconds=COUNTS)
asks = st.builds(
    m.Ask,
    run=NAMES,
    round=COUNTS,
    phase=WORDS,
    strategy=WORDS,
    program=DIGESTS,
    weights=DIGESTS,
    base=COUNTS,
    plan=plans,
    options=st.dictionaries(WORDS, SCALARS, max_size=5),
    scale=st.integers(0, 52),
    bound=st.floats(1e-6, 1e9),
    cap=st.integers(1, 1 << 40),
    total=st.integers(1, 1 << 53),
    evaluate=st.booleans(),
    goal=COUNTS,
    each=st.none() | st.lists(invited, max_size=4).map(tuple),
    inline=st.none() | st.binary(max_size=100),
    size=SIZES,
    program_size=SIZES,
    offline=st.none() | offlines,
    transform=st.none() | WORDS,
)
devices = st.builds(
    m.Device,
    name=NAMES,
    state=st.sampled_from(["up", "sleeping", "away", "gone"]),
    examples=COUNTS,
    software=TEXT,
    runtime=TEXT,
    memory=COUNTS,
    data=TEXT,
)
hellos = st.builds(
    m.Hello,
    protocol=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    features=st.lists(TEXT, max_size=3).map(tuple),
    software=TEXT,
    runtime=TEXT,
    memory=COUNTS,
    data=TEXT,
    examples=COUNTS,
    max_packet=COUNTS,
    chunk=PIECES,
    ready=st.booleans(),
    why_not=TEXT,
    devices=st.none() | st.lists(devices, max_size=3).map(tuple),
)
answers = st.builds(
    m.Answer,
    base=COUNTS,
    weights=DIGESTS,
    program=DIGESTS,
    payload=DIGESTS,
    size=COUNTS,
    chunk=PIECES,
    attempt=st.integers(0, 1000),
    inline=st.none() | st.binary(max_size=100),
    run=st.just("") | NAMES,
    round=COUNTS,
    local=LOCAL,
)
receipts = st.builds(
    m.Receipt,
    status=st.sampled_from(["ok", "dup", "need", "bad", "late"]),
    reason=WORDS,
    detail=TEXT,
    payload=DIGESTS,
    have=st.binary(max_size=20),
)
statuses = st.builds(
    m.Status,
    state=st.sampled_from(["up", "sleeping", "down"]),
    birth=COUNTS,
    hello=DIGESTS | st.just(b""),
    software=TEXT,
    bye=st.booleans(),
)
BODIES: dict[type[Body], st.SearchStrategy[Body]] = {
    m.Ask: asks,
    m.Started: st.builds(m.Started),
    m.Refuse: st.builds(m.Refuse, reason=WORDS, detail=TEXT),
    m.Answer: answers,
    m.Receipt: receipts,
    m.Chunk: st.builds(m.Chunk, payload=DIGESTS, index=COUNTS, data=st.binary(max_size=100)),
    m.Get: st.builds(m.Get, blob=DIGESTS | st.just(b""), chunk=PIECES, first=COUNTS, count=st.integers(0, 256)),
    m.Block: st.builds(m.Block, blob=DIGESTS, index=COUNTS, size=SIZES, data=st.binary(max_size=100)),
    m.Status: statuses,
    m.Hello: hellos,
    m.Request: st.builds(m.Request, what=st.sampled_from(["hello", "cancel"]), reason=TEXT),
    m.Telemetry: st.builds(m.Telemetry, values=st.dictionaries(WORDS, st.floats(allow_nan=False), max_size=4)),
}
envelopes = st.builds(
    Envelope,
    id=st.binary(min_size=16, max_size=16),
    src=NAMES,
    dst=NAMES,
    body=st.one_of(*BODIES.values()),
    ask=st.binary(min_size=16, max_size=16) | st.just(b""),
    remaining_ms=st.none() | COUNTS,
    ts_ms=COUNTS,
    fresh=st.tuples(COUNTS, COUNTS),
)
