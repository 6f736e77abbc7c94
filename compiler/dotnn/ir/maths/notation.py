"""What a way of writing mathematics must have: a text for every construct, put together from those of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dotnn.ir.maths.symbol import Symbol


class Notation(Protocol):
    """One way of writing. Texts of parts come in brackets where they need them.

    `is_linear`: whether all stands on one line, so that the parts of a fraction have brackets around them.
    """

    is_linear: bool

    def symbol(self, symbol: Symbol, items: Sequence[str]) -> str:
        """Return a symbol, with the indices of an element where there are any."""

    def letter(self, name: str) -> str:
        """Return an index, or another name that is no value of the graph."""

    def number(self, text: str) -> str:
        """Return a number that is not negative."""

    def operator(self, sign: str, left: str, right: str) -> str:
        """Return two parts with a sign between them; the product of numbers and matrices has the sign ""."""

    def negative(self, part: str) -> str:
        """Return -part."""

    def fraction(self, above: str, below: str) -> str:
        """Return a quotient."""

    def power(self, base: str, exponent: str) -> str:
        """Return a power."""

    def root(self, part: str) -> str:
        """Return a square root."""

    def transposed(self, part: str) -> str:
        """Return a transposed matrix."""

    def function(self, name: str, parts: Sequence[str]) -> str:
        """Return the value of a function."""

    def fenced(self, left: str, parts: Sequence[str], right: str) -> str:
        """Return parts between brackets, bars or the like."""

    def over(self, kind: str, indices: Sequence[str], body: str) -> str:
        """Return a sum, a maximum or the like of what a body is for all values of some indices."""

    def cases(self, test: str, yes: str, no: str) -> str:
        """Return one of two, by a condition."""

    def equation(self, left: str, sign: str, right: str) -> str:
        """Return a whole equation; its sign is `=`, or `←` where something is replaced."""
