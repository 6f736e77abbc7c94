"""The pages of the manual: every generated table lies between `<!-- generated: NAME -->` and `<!-- end -->`.

The tables are made from the registries, so that what a layer takes is written down once; a test compares the page with
what this module makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from dotnn.commands.manual.commands import COMMAND_LINE
from dotnn.commands.manual.errors import RULES
from dotnn.commands.manual.families import FAMILIES
from dotnn.commands.manual.sections import KEYS
from dotnn.commands.manual.seeing import SEEING
from dotnn.commands.manual.standard import STANDARD

SECTIONS: dict[str, Callable[[], str]] = {**FAMILIES, **KEYS, **RULES, **COMMAND_LINE, **STANDARD, **SEEING}
_PART = re.compile(r"(?<=<!-- generated: )(\w+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


def renewed(page: str) -> str:
    """Return the page with every generated part renewed. Raises `KeyError` for a part that does not exist."""
    return _PART.sub(lambda m: f"{m[1]}{m[2]}{SECTIONS[m[1]]()}\n", page)


def parts(page: str) -> list[str]:
    """Return the names of the generated parts of a page."""
    return [m[1] for m in _PART.finditer(page)]
