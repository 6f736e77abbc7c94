"""The page: its parts in order, and what is left out where it would be too large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from dotnn.reports.page.style import STYLE

LARGEST = 400_000
"""So many bytes a page may have."""


@dataclass(frozen=True)
class PagePart:
    """A part of the page: the id and the title by which it is found, its text, and one in its place if room is short.

    The part with the largest `weight` gives way first; those of 0 always stay.
    """

    name: str
    title: str
    text: str
    weight: int = 0
    instead: str = ""


def page(title: str, verdict: str, summary: str, parts: Sequence[PagePart]) -> str:
    """Return the page as the text of a file; the same run gives the same text."""
    shown = list(parts)
    text = _page(title, verdict, summary, shown)
    while len(text.encode()) > LARGEST:
        largest = max(shown, key=lambda part: part.weight)
        if not largest.weight:
            break
        place = shown.index(largest)
        shown[place] = PagePart(largest.name, largest.title, largest.instead)
        text = _page(title, verdict, summary, shown)
    return text


def _page(title: str, verdict: str, summary: str, parts: Sequence[PagePart]) -> str:
    shown = [part for part in parts if part.text]
    links = "".join(f'<li><a href="#{part.name}">{escape(part.title)}</a></li>' for part in shown)
    body = "\n".join(part.text for part in shown)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{verdict}
{summary}
<nav aria-label="Parts of this page"><ul>{links}</ul></nav>
</header>
<main>
{body}
</main>
</body>
</html>
"""
