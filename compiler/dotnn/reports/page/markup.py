"""Pieces of a page. Every text goes through `escape`; what is well formed as XML is so as HTML, too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def section(name: str, title: str, *pieces: str) -> str:
    """Return a part of the page, which its id names."""
    body = "\n".join(piece for piece in pieces if piece)
    head = f'<h2 id="{name}-head">{escape(title)}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-head">\n{head}\n{body}\n</section>'


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph."""
    return f"<p{_kind(kind)}>{escape(text)}</p>"


def heading(text: str) -> str:
    """Return a heading within a part."""
    return f"<h3>{escape(text)}</h3>"


def bullets(texts: Iterable[str], kind: str = "") -> str:
    """Return a list of texts."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul{_kind(kind)}>{items}</ul>" if items else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], label: str) -> str:
    """Return a table that scrolls where it is too wide; the first column names the rows, numbers are to the right."""
    cells = [list(row) for row in rows]
    kinds = ["", *(_kind_of(column) for column in [*zip(*cells, strict=True)][1:])] if cells else [""] * len(heads)
    top = "".join(f'<th scope="col"{kind}>{escape(head)}</th>' for head, kind in zip(heads, kinds, strict=True))
    lines = "".join(f"<tr>{_row(row, kinds)}</tr>" for row in cells)
    body = f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
    return scrolling(body, label)


WORDS_OF_NUMBERS = r"[-+−]?\d.*|–|undefined|nan|-?inf"


def _kind_of(column: Iterable[str]) -> str:
    return "" if any(not re.fullmatch(WORDS_OF_NUMBERS, cell) for cell in column) else _kind("number")


def _row(row: Sequence[str], kinds: Sequence[str]) -> str:
    first, *others = row
    cells = "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(others, kinds[1:], strict=True))
    return f'<th scope="row">{escape(first)}</th>{cells}'


def code(text: str, label: str) -> str:
    """Return text as it is, in lines that scroll where they are too long."""
    return scrolling(f"<pre>{escape(text.rstrip())}</pre>", label)


def scrolling(content: str, label: str) -> str:
    """Return content that may be wider than the page; a keyboard can scroll it."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">{content}</div>'


def folded(summary: str, content: str) -> str:
    """Return content that is shown when it is asked for."""
    return f"<details><summary>{escape(summary)}</summary>\n{content}\n</details>"


def said_of(svg: str) -> str:
    """Return what a picture says of itself to those who do not see it."""
    return ElementTree.fromstring(svg).findtext(f"{SVG}desc") or ""


TITLE = 28.0
"""So many pixels at the top of a picture hold its title, which the heading above it says on a page."""


def picture(svg: str, name: str, kind: str) -> str:
    """Return a picture within the page: ids are the page's own, its style is the page's, see `scoped`."""
    root = ElementTree.fromstring(svg)
    for style in root.findall(f"{SVG}style"):
        root.remove(style)
    _without_title(root)
    ids = {element.get("id"): f"{name}-{element.get('id')}" for element in root.iter() if element.get("id")}
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        if element.get("id"):
            element.set("id", ids[element.get("id")])
    root.set("aria-labelledby", " ".join(ids[word] for word in root.get("aria-labelledby", "").split()))
    text = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
    tight = re.sub(r">\s+<", "><", text)
    figure = f'<figure class="{kind}">{tight}</figure>'
    return scrolling(figure, root.findtext("title") or name)


def _without_title(root: ElementTree.Element) -> None:
    """Take the title out of what is drawn, and its room; a screen reader still has it."""
    for drawn in [one for one in root.findall(f"{SVG}text") if one.get("class") == "title"]:
        root.remove(drawn)
        left, top, width, height = map(float, root.get("viewBox", "0 0 0 0").split())
        root.set("viewBox", f"{left:g} {top + TITLE:g} {width:g} {height - TITLE:g}")
        root.set("height", f"{height - TITLE:g}")


def scoped(style: str, place: str) -> str:
    """Return the style of pictures so that it holds within `place` only, and its dark half on screens only."""
    lines = []
    for line in style.strip().splitlines():
        if line.startswith("@media"):
            lines.append("@media screen and (prefers-color-scheme: dark) {")
        else:
            lines.append(re.sub(r"([^{}]+)(\{[^{}]*\})", lambda m: f"{_within(m[1], place)} {m[2]}", line))
    return "\n".join(lines)


def _within(selectors: str, place: str) -> str:
    return ", ".join(f"{place} {one.strip()}" for one in selectors.split(","))


def _kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
