"""Chance that takes no memory until somebody wants any."""

from random import Random
from typing import Any


class Chance:
    """A Random after its first number, which is known from the beginning. It is made when the second is drawn.

    It takes 2.5 KB, which nothing makes smaller, and a broker draws numbers where packets are lost or connections break: in
    most homes never.
    """

    __slots__ = ("_made", "_seed", "_span", "first")

    def __init__(self, seed: int, span: tuple[int, int]) -> None:
        """`span`: least and greatest that the first number can be."""
        self._seed, self._span = seed, span
        self._made: Random | None = None
        self.first = self._begin().randint(*span)

    def _begin(self) -> Random:
        return Random(self._seed)  # noqa: S311  # repeatable

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)  # where it is being unpickled there is nothing yet
        if self._made is None:
            self._made = self._begin()
            self._made.randint(*self._span)
        return getattr(self._made, name)
