"""What all messages share."""

from __future__ import annotations

from dotnn.core.diagnostics import Diagnostic

ARTICLE_AN = tuple("aeio")


class Fail(Exception):
    """Carries one diagnostic out of an expression; the statement that contains it is given up."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


def a(word: str) -> str:
    """Return the word after its article: `an activation`."""
    return f"{'an' if word.startswith(ARTICLE_AN) else 'a'} {word}"


def several(count: int, word: str) -> str:
    """Return `1 value`, `2 values`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
