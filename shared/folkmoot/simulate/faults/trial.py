"""One seed: its run, the laws, and its story where one is wanted."""

from contextlib import suppress
from dataclasses import dataclass

from folkmoot.simulate.faults.laws import judge
from folkmoot.simulate.faults.plan import Plan, draw
from folkmoot.simulate.faults.story import Line, Story
from folkmoot.simulate.faults.witness import Broken, Witness
from folkmoot.simulate.faults.world import World
from folkmoot.simulate.stuck import Stuck

STORY = 60  # lines before a law broke, about the machines that it concerns
SETTLING = 1_800_000  # ms after the run in which the last receipts come: three times the longest pause between two offers


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a seed."""

    plan: Plan
    broken: str = ""  # the law that does not hold, and how; "": all of them hold
    about: tuple[str, ...] = ()  # the machines that this concerns
    at: int = 0  # ms of the world's time
    lines: tuple[Line, ...] = ()  # of the story, where it was wanted
    learnt: int = 0  # rounds that made a model
    queue: int = 0  # the longest queue

    def __str__(self) -> str:
        """Gives what is to be said of a broken law: what came before it, and how to see all of it again."""
        lines = [line for line in self.lines if line.concerns(self.about)][-STORY:]
        again = f"again: folkmoot simulate --faults {self.plan.seed}"
        return "\n    ".join([f"seed {self.plan.seed}: {self.broken}", *map(str, lines), again])


def run(seed: int, *, tell: bool = False) -> Verdict:
    """Runs a seed; `tell`: with its story. Whatever a program raises is a broken law, too."""
    plan = draw(seed)
    world = World(plan)
    witness = Witness(world)
    story = Story(world)
    world.ears.committed, world.ears.stepped = witness.store, witness.step
    if tell:
        story.attend()
    broken = ""
    about: tuple[str, ...] = ()
    try:
        play(world, witness)
    except Broken as law:
        broken, about = str(law), law.about
    except Exception as error:  # a program under test may do anything
        broken = f"a program fails: {type(error).__name__}: {error}"
    return Verdict(plan, broken, about, world.now, tuple(story.lines), len(world.cloud.models), witness.queue)


def sweep(first: int, last: int) -> list[Verdict]:
    """Runs the seeds of a range; gives the verdicts of those that break a law, with their stories."""
    return [run(seed, tell=True) for seed in range(first, last + 1) if run(seed).broken]


def play(world: World, witness: Witness) -> None:
    """Lets a world's run come to its end and judges it. Raises Broken, Stuck, and what a program raises."""
    world.start()
    world.launch()
    try:
        world.run(lambda: world.finished)
    except Stuck as stuck:
        raise Broken("a run comes to its end", str(stuck)) from None
    world.calm()
    with suppress(Stuck):  # the laws say what is not as it should be
        world.run(lambda: witness.settled, SETTLING)
    judge(witness)
