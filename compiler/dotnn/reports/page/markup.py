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
    """Return a table that scrolls where it is too wide; the first column names the rows, the others are numbers."""
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    lines = "".join(f"<tr>{_row(row)}</tr>" for row in rows)
    body = f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
    return scrolling(body, label)


def _row(row: Sequence[str]) -> str:
    first, *others = row
    cells = "".join(f'<td class="number">{escape(cell)}</td>' for cell in others)
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


def picture(svg: str, name: str, kind: str) -> str:
    """Return a picture within the page: ids are the page's own, its style is the page's, see `scoped`."""
    root = ElementTree.fromstring(svg)
    for style in root.findall(f"{SVG}style"):
        root.remove(style)
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
