"""What the spec says of a definition: the comment lines directly above it."""

from __future__ import annotations

from typing import NamedTuple

from dotnn.core.diagnostics import Source
from dotnn.syntax import nodes

_SOURCE = "source:"
_PLAIN = str.maketrans({"\\": "/", '"': "'", "`": "'"})


class Documentation(NamedTuple):
    """What a definition means, and where it comes from (what stands in a line `# source: …`), "" for neither."""

    text: str
    source: str


def documentation(source: Source, section: nodes.Section) -> Documentation:
    """Return what the comment lines directly above a piece of a spec say, fit to be written into a docstring."""
    found: list[str] = []
    source, span = source.local(section.span)
    line = source.line_of(span) - 1
    while line >= 1 and (text := source.line_text(line).strip()).startswith("#"):
        found.insert(0, _plain(text))
        line -= 1
    sources = [text.removeprefix(_SOURCE).strip() for text in found if text.startswith(_SOURCE)]
    return Documentation(" ".join(text for text in found if not text.startswith(_SOURCE)), " ".join(sources))


def _plain(comment: str) -> str:
    """Return the text of a comment without what a docstring would read otherwise."""
    return "".join(c for c in comment.lstrip("# ").translate(_PLAIN) if c.isprintable()).strip()
