"""How settings of `params` are given: as options of the command line, or as keywords of a function."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """How settings are given.

    called  what the text of a setting is called where an error is shown in it
    before  what stands before a setting where it is typed
    own     names that stand where those of settings do, and are none: one of them may have been meant
    """

    called: str
    before: str = ""
    own: Collection[str] = ()


OPTION = Way("--set", "--set ")


def keywords(own: Collection[str]) -> Way:
    """Return the way of a function whose `own` keywords are these."""
    return Way("keyword", own=own)
