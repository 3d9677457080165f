"""A run as a recording has it (folkmoot.flight): whatever a campaign is made of, in bytes."""

from collections.abc import Callable
from typing import Any

import msgspec

from folkmoot import arrays, plugins
from folkmoot.flight.craft import Resolve
from folkmoot.flight.entry import Ref
from folkmoot.flight.port import Notes
from folkmoot.hop import events
from folkmoot.strategy import Model
from folkmoot.wire import bundle, codec
from folkmoot.wire.messages import Offline, Plan, Scalar
from folkmoot_cloud.runner import state
from folkmoot_cloud.runner.campaign import Campaign, Cohort, Spec
from folkmoot_cloud.runner.node import Enter
from folkmoot_cloud.runner.past import Past
from folkmoot_cloud.runner.retraction import Retract

Kept = Callable[[bytes], bytes | None]


class FrozenSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A Spec; its program is a content, its plug-ins are named."""

    run: str
    program: Ref
    strategy: str
    options: dict[str, Scalar]
    cohort: Cohort
    plan: Plan
    minimum: int
    deadline: int
    over_selection: float
    evaluate: bool
    scale: int
    bound: float
    cap: int
    total: int
    secret: str
    offline: Offline | None
    buffer: int
    transform: str | None = None


class Wish(msgspec.Struct, frozen=True, array_like=True):
    """A Retract, without the answers."""

    run: str
    number: int
    device: str


class FrozenRun(msgspec.Struct, frozen=True, kw_only=True):
    """An Enter: a campaign, and the round that is open."""

    spec: FrozenSpec
    block: Ref
    state: Ref | None
    version: int
    number: int
    rounds: int
    desired: str
    evaluated: int
    past: Past
    history: list[tuple[int, events.Event]] = []
    ahead: int = 0
    retractions: list[Wish] = []


def freeze(entered: Enter, notes: Notes) -> FrozenRun:
    """Gives a run as it is now, which is between two steps of its program."""
    campaign = entered.campaign
    spec = campaign.spec
    moments = state.dump(campaign.model.state)
    return FrozenRun(
        spec=FrozenSpec(
            run=spec.run,
            program=notes.refer(codec.digest(spec.program), spec.program),
            strategy=spec.strategy_name,
            options=dict(spec.options),
            cohort=spec.cohort,
            plan=spec.plan,
            minimum=spec.minimum,
            deadline=spec.deadline,
            over_selection=spec.over_selection,
            evaluate=spec.evaluate,
            scale=spec.scale,
            bound=spec.bound,
            cap=spec.cap,
            total=spec.total,
            secret=spec.secret,
            offline=spec.offline,
            buffer=spec.buffer,
            transform=spec.transform,
        ),
        block=notes.refer(campaign.digest, campaign.block),
        state=None if moments is None else notes.refer(codec.digest(moments), moments),
        version=campaign.version,
        number=campaign.number,
        rounds=campaign.rounds,
        desired=campaign.desired,
        evaluated=campaign.evaluated,
        past=campaign.past,
        history=list(entered.history),
        ahead=entered.ahead,
        retractions=[Wish(one.run, one.number, one.device) for one in entered.retractions],
    )


def thaw(run: FrozenRun, resolve: Resolve, kept: Kept) -> Enter:
    """Gives the run. Raises UserFault where a plug-in of it is not here."""
    spec = run.spec
    program = resolve(spec.program)
    manifest = bundle.program(program).manifest
    block = resolve(run.block)
    moments = None if run.state is None else resolve(run.state)
    fields: dict[str, Any] = {name: getattr(spec, name) for name in _ALIKE}
    campaign = Campaign(
        spec=Spec(
            **fields,
            program=program,
            manifest=manifest,
            strategy=plugins.load("strategies", spec.strategy, spec.options),
            strategy_name=spec.strategy,
            selector=plugins.load("selectors", "uniform", {}),  # as folkmoot_cloud.runner.load has it: there is one so far
        ),
        model=Model(arrays.unpack(manifest.layout, block), state.load(moments)),
        block=block,
        version=run.version,
        number=run.number,
        rounds=run.rounds,
        desired=run.desired,  # type: ignore[arg-type]
        evaluated=run.evaluated,
        past=run.past,
    )
    wishes = tuple(Retract(one.run, one.number, one.device, kept) for one in run.retractions)
    return Enter(campaign, run.history, kept, run.ahead, wishes)


# Fields that a spec and a frozen one have alike.
_ALIKE = (
    *("run", "options", "cohort", "plan", "minimum", "deadline", "over_selection", "evaluate"),
    *("scale", "bound", "cap", "total", "secret", "offline", "buffer", "transform"),
)
