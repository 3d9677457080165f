"""Something that goes on and on, such as absences, in a form that can be put away."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Tape(Iterator[T], Generic[T]):
    """What `make(*given)` yields. Pickled, it is that call and how much was taken of it, which is passed over then."""

    __slots__ = ("_given", "_make", "_rest", "_taken")

    def __init__(self, make: Callable[..., Iterator[T]], *given: Any, taken: int = 0) -> None:
        """`make`: a function of a module, or of something that can be pickled; it yields the same every time."""
        self._make, self._given, self._taken = make, given, taken
        self._rest: Iterator[T] | None = None  # made when it is wanted: most are put away again before

    def __next__(self) -> T:
        if self._rest is None:
            self._rest = islice(self._make(*self._given), self._taken, None)
        found = next(self._rest)
        self._taken += 1
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return _at, (self._make, self._given, self._taken)


def _at(make: Callable[..., Iterator[T]], given: tuple[Any, ...], taken: int) -> Tape[T]:
    return Tape(make, *given, taken=taken)
