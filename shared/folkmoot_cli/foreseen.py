"""Predictions as people read them: what a run would take, and how far off that was."""

from collections.abc import Callable

from folkmoot_cli import output
from folkmoot_cli.api import Json

Format = Callable[[float], str]


def _size(count: float) -> str:
    return str(output.size(round(count)))


def _count(number: float) -> str:
    return f"{number:.0f}"


def _joules(joules: float) -> str:
    return f"{joules:.0f} J" if joules < 10_000 else f"{joules / 1000:.1f} kJ"


# What each figure is called, and how it is written.
FIGURES: dict[str, tuple[str, Format]] = {
    "seconds": ("time", output.duration),
    "drop_outs": ("drop-outs", _count),
    "bytes_up": ("homes to cloud", _size),
    "bytes_down": ("cloud to homes", _size),
    "home_bytes_up": ("devices to homes", _size),
    "home_bytes_down": ("homes to devices", _size),
    "joules": ("energy of devices", _joules),
}
FATES = ("asked", "answered", "late", "silent", "refused", "rejected")


def tell(found: Json) -> None:
    """Prints a prediction."""
    output.table(
        ("", "a round#", "10 to 90 %#", f"{found['rounds']} rounds#", "10 to 90 %#"),
        (
            (title, *_spread(found["round"][name], write), *_spread(found["run"][name], write))
            for name, (title, write) in FIGURES.items()
        ),
    )
    print()
    output.table(
        ("devices in a round", "median#", "10 to 90 %#"),
        ((fate, *_spread(found["devices"][fate], _count)) for fate in FATES),
    )
    print()
    output.table(
        ("deadline#", "a round#", "10 to 90 %#", "answers#", "10 to 90 %#", "no version#"),
        (
            (
                output.duration(one["deadline"]),
                *_spread(one["seconds"], output.duration),
                *_spread(one["answered"], _count),
                f"{one['short']:.0%}",
            )
            for one in found["deadlines"]
        ),
    )
    print()
    for sentence in filter(None, (found["advice"], _basis(found["basis"]), *found["notes"])):
        print(f"- {sentence}")


def tell_compared(found: Json) -> None:
    """Prints what was predicted of a run beside what it took, as far as there is anything to compare."""
    if not found["compared"]:
        return
    print()
    output.table(
        ("", "predicted#", "10 to 90 %#", "measured#", "error#"),
        (
            (_title(one), *_spread(one["predicted"], _write(one)), _write(one)(one["measured"]), _error(one))
            for one in found["compared"]
        ),
    )


def summary(found: Json) -> str:
    """Gives in one line how far a prediction was off; "" where there is nothing to compare."""
    said = []
    for one in found["compared"]:
        if one["figure"] in ("seconds", "drop_outs"):
            predicted, measured = (_write(one)(value) for value in (one["predicted"]["median"], one["measured"]))
            said.append(f"{_title(one)} {predicted} predicted, {measured} measured ({_error(one)})")
    return "; ".join(said)


def _spread(spread: Json, write: Format) -> tuple[str, str]:
    """Gives a median, and what lies around it; that is left out where it is the same."""
    low, middle, high = (write(spread[name]) for name in ("p10", "median", "p90"))
    return middle, "" if low == high == middle else f"{low} to {high}"


def _title(one: Json) -> str:
    return f"{'a round' if one['scope'] == 'round' else 'the run'}: {FIGURES[one['figure']][0]}"


def _write(one: Json) -> Format:
    return FIGURES[one["figure"]][1]


def _error(one: Json) -> str:
    return "-" if one["error_percent"] is None else f"{one['error_percent']:+.0f} %"


def _basis(basis: Json) -> str:
    return (
        f"from {basis['rounds']} rounds with {basis['measurements']} measured jobs: {basis['own']} devices by their own, "
        f"{basis['alike']} like others of their kind, {basis['others']} like any other; {basis['homes']} homes by their own, "
        f"{basis['homes_others']} like the others"
    )
