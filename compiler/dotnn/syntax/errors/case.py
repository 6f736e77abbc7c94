"""What a case of the table is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dotnn.syntax.parse_context import ParseContext


@dataclass(frozen=True)
class SyntaxCase:
    """One way to go wrong: when it applies, what it says, and texts that show it."""

    code: str
    message: str
    help: str
    applies: Callable[[ParseContext], bool]
    bad: tuple[str, ...]
    note: str = ""
    mark: str = "found"  # which piece gets the caret: found, before, earlier or opener
