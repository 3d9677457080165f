"""Every race and every row of docs/benchmarks.md: the one place where targets stand.

A race names modules of this folder that end with a line of JSON; a row names a race, and one of the figures in that line.
"""

from benchmarks.race import Race, Row, Target

RACES = (
    Race(
        "digits",
        "100 simulated devices, all in each round",
        "The handwritten digits, 15 examples each, 64-64-10, one epoch in batches of 10, no evaluation. Folkmoot: ten "
        "homes, two hops, TFLite. Flower: Ray, a client on each core, numpy. Start is where a line through the ends of "
        "all rounds meets zero: from the start of the process, imports included.",
        ("fleet digits",),
        {"flower": "simulation digits"},
        seconds=600,
        bundle="narrow",
    ),
    Race(
        "wide",
        "1,000 simulated devices, 100 in each round",
        "32 examples of 64 numbers each, 64-128-10, one epoch in batches of 16, no evaluation. Folkmoot: ten homes. pfl: "
        "torch in one process on one thread, which for clients as small as these is its quickest. Memory is proportional "
        "and the most of all processes together, looked at four times a second.",
        ("fleet wide",),
        {"flower": "simulation wide", "pfl": "simulation wide"},
        seconds=600,
        bundle="wide",
    ),
    Race(
        "scale",
        "10,000 simulated devices in 500 homes",
        "`folkmoot simulate` from beginning to end, report included: 20 generated examples each, 64-64-10, one epoch in "
        "batches of 10, all devices in each of 10 rounds; the same with 1,000 and 3,160. A device that is not asked: what "
        "9,000 more of them take where a round asks 100, and homes that it does not ask are put away (`awake = 250`). No "
        "peer: Flower and pfl have no homes.",
        ("scale",),
        {},
        seconds=7_200,
        turns=1,
        long=True,
        bundle="narrow",
    ),
    Race(
        "multitude",
        "aggregation alone, a million simulated homes",
        "One round on virtual time of a model with 650 parameters, from the start of the process: three tiers of regional "
        "gateways, fifty homes below each of the lowest and ten members below the others. A home is one member that answers "
        "with an update which nobody has learnt: what is inside of it is not simulated, and an object stands in for it that "
        "says what a device would say, byte for byte. Messages and bytes are those of all hops, rows those of the cloud's "
        "database. No peer has tiers.",
        ("multitude 1000000",),
        {},
        seconds=3_600,
        turns=1,
        long=True,
    ),
    Race(
        "round",
        "a round of 10 devices",
        "10,000 parameters in 10 tensors, training takes no time, everything on this machine. Folkmoot: two gateways, "
        "three Mosquittos, SQLite with durable commits, each device a process. Flower: SuperLink and ten "
        "SuperNodes, each a process that starts others, as its manual has them, which takes more than two cores.",
        ("round 10",),
        {"flower": "deployment round 10"},
        seconds=1_800,
    ),
    Race(
        "pair",
        "a round of 2 devices",
        "The same with a device below each gateway, and two SuperNodes, for which two cores are enough: what is left of "
        "Flower's round is what it waits between two questions.",
        ("round 2",),
        {"flower": "deployment round 2"},
        seconds=900,
    ),
    Race(
        "freight",
        "a round of 50 devices with 250,000 parameters",
        "1 MB down to each device and 1 MB up from it, in chunks, below two gateways; the devices of a home share a "
        "process. No peer: 50 SuperNodes of Flower would need 13 GB. Beside it as many chunks as all devices send, "
        "through one Mosquitto to a subscriber that does nothing.",
        ("freight",),
        {},
        seconds=900,
    ),
    Race(
        "fold",
        "aggregation",
        "Time of one thread on the processor. Folkmoot decodes, judges and adds what comes from a broker, exactly. "
        "Flower's `aggregate_arrayrecords` adds arrays that it has taken apart before, in float32, and checks nothing.",
        ("fold",),
        {"flower": "aggregation"},
        seconds=300,
    ),
    Race(
        "wire",
        "on the wire in a round",
        "10,000 parameters, float32 that chance has set, 40,000 bytes raw; ours in 10 tensors. Folkmoot and Flower: every byte "
        "of TCP payload of a device in a round, and its PUBLISH packets or HTTP requests, without TLS. FLARE: the JSON alone "
        "that an edge device sends. Beside it Folkmoot with updates as int8.",
        ("wire 10000", "wire 10000 int8"),
        {"flower": "deployment wire 10000", "nvflare": "wire 10000"},
        seconds=600,
    ),
    Race(
        "bulk",
        "on the wire in a round, 1 MB",
        "The same with 250,000 parameters, 1,000,000 bytes raw.",
        ("wire 250000",),
        {"flower": "deployment wire 250000", "nvflare": "wire 250000"},
        seconds=600,
        turns=1,
    ),
    Race(
        "memory",
        "memory of a device",
        "Folkmoot: the agent, connected over TLS; with its training process while it trains `digits-cnn` in TFLite. "
        "Flower: a SuperNode and its SuperExec, without TLS; with a ClientApp that does nothing with 10,000 parameters in "
        "numpy. What they share with the SuperLink of the same installation counts for a part.",
        ("agent", "training"),
        {"flower": "deployment memory"},
        seconds=600,
    ),
    Race(
        "departure",
        "a device that goes",
        "Until who asks it knows: the gateway by the will of its broker, with a keepalive of 30 s (60 s is usual), a "
        "ServerApp by `get_node_ids`, whose nodes are heard every 30 s. A round that is under way at a gateway waits for "
        "a device that it has lost another 1.5 keepalives, for it may come back.",
        ("departure",),
        {"flower": "deployment departure"},
        seconds=900,
        turns=2,
    ),
    Race(
        "asynchrony",
        "asynchronous rounds",
        "16 devices whose jobs take 100, 200 or 400 s, with 5 s on the way, in the simulator, on virtual time. FLARE has "
        "published the same (examples/advanced/edge, 2.7): 408.4 s for 16 updates where a round waits for all, 238.3 s where "
        "it waits for nobody.",
        ("asynchrony",),
        {},
        seconds=600,
        turns=1,
    ),
)

# Modules that measure what docs/measurements.md states beyond the table, and say it themselves.
BESIDE = ("api", "bytes", "calls", "flight", "footprint", "foresight", "link", "plan", "step")

ROWS = (
    Row("client-rounds a second", "digits", "clients_per_s", "/s", Target(100, of="flower"), more=True),
    Row("start", "digits", "start_s", "s", Target(2)),
    Row("a round", "wide", "round_s", "s", Target(0.1)),
    Row("memory", "wide", "peak_mib", "MiB", Target(200)),
    Row("start", "wide", "start_s", "s"),
    Row("10 rounds", "scale", "seconds_10000", "s", Target(300)),
    Row("memory", "scale", "mib_10000", "MiB", Target(2048)),
    Row("exponent of the time, from 1,000 devices on", "scale", "exponent", "", Target(1.1)),
    Row("memory of a device that is not asked", "scale", "idle_kib", "KiB", Target(4)),
    Row("the round, start included", "multitude", "seconds", "s", Target(600)),
    Row("memory", "multitude", "peak_mib", "MiB"),
    Row("messages", "multitude", "messages", ""),
    Row("bytes", "multitude", "gigabytes", "GB"),
    Row("rows", "multitude", "rows", ""),
    Row("median", "round", "round_ms", "ms", Target(60)),
    Row("90th percentile", "round", "round_p90_ms", "ms", Target(100)),
    Row("median", "pair", "round_ms", "ms"),
    Row("median", "freight", "round_s", "s", Target(3)),
    Row("1,600 chunks into a bare receiver", "freight", "chunks_s", "s"),
    Row("an update of 10,000 parameters in 10 tensors, checked", "fold", "judged_us", "us", Target(60)),
    Row("the same as int8", "fold", "judged_int8_us", "us"),
    Row("updates of 1,000,000 parameters, added", "fold", "added_gb_s", "GB/s", Target(2), more=True),
    Row("the same over a copy of its bytes", "fold", "added_of_copy", "", Target(0.12), more=True),
    Row("the same, checked", "fold", "judged_gb_s", "GB/s", Target(1), more=True),
    Row("memory of 1,000 updates of 100,000 parameters, in models", "fold", "kept_models", "", Target(3)),
    Row("bytes up, lossless", "wire", "bytes_up", "B", Target(42_000)),
    Row("bytes down", "wire", "bytes_down", "B"),
    Row("messages", "wire", "messages", "", Target(4)),
    Row("bytes up for an update of 10,000 parameters as int8", "wire", "int8_bytes_up", "B", Target(11_000)),
    Row("messages with an update as int8", "wire", "int8_messages", "", Target(4)),
    Row("bytes up, lossless", "bulk", "bytes_up", "B"),
    Row("bytes down", "bulk", "bytes_down", "B"),
    Row("at rest, resident", "memory", "rest_mib", "MiB", Target(30)),
    Row("while it trains, proportional", "memory", "training_mib", "MiB", Target(72)),
    Row("frozen, in keepalives", "departure", "frozen_keepalives", "", Target(1.5)),
    Row("frozen", "departure", "frozen_s", "s"),
    Row("killed", "departure", "killed_s", "s"),
    Row("with a goodbye", "departure", "clean_s", "s", Target(0.1)),
    Row("16 updates, waiting for all", "asynchrony", "synchronous", "s"),
    Row("off what FLARE has published", "asynchrony", "synchronous_off", "%", Target(2)),
    Row("16 updates, waiting for nobody", "asynchrony", "asynchronous", "s"),
    Row("off what FLARE has published", "asynchrony", "asynchronous_off", "%", Target(2)),
)
