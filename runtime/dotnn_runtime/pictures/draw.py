"""The elements that pictures are made of, with numbers written alike everywhere."""

from __future__ import annotations

from xml.etree import ElementTree

Element = ElementTree.Element
LETTER = 7.0
"""About the width of a letter, in pixels: what is left free for a text."""


def text(root: Element, x: float, y: float, words: str, kind: str = "", *, anchor: str = "start") -> Element:
    """Write words at a place."""
    place = {"x": f"{x:.2f}", "y": f"{y:.2f}", "text-anchor": anchor} | ({"class": kind} if kind else {})
    element = ElementTree.SubElement(root, "text", place)
    element.text = printable(words)
    return element


def segment(root: Element, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
    """Draw a straight line."""
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    ElementTree.SubElement(root, "line", {"class": kind} | {name: f"{at:.2f}" for name, at in ends.items()})


def path(root: Element, d: str, kind: str, hint: str = "") -> None:
    """Draw a path; `hint` is what a pointer shows and a screen reader says."""
    drawn = ElementTree.SubElement(root, "path", {"class": kind, "d": d})
    if hint:
        ElementTree.SubElement(drawn, "title").text = printable(hint)


def group(root: Element, hint: str = "", kind: str = "") -> Element:
    """Return a group of elements with a title of its own."""
    made = ElementTree.SubElement(root, "g", {"class": kind} if kind else {})
    if hint:
        ElementTree.SubElement(made, "title").text = printable(hint)
    return made


def box(x: float, y: float, width: float, height: float) -> str:
    """Return a rectangle as a piece of a path."""
    return f"M{x:.2f} {y:.2f}h{width:.2f}v{height:.2f}h{-width:.2f}z"


def printable(words: str) -> str:
    """Return words as XML may hold them: it has no control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


MARKERS = (
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z",
    "m-3 -3h6v6h-6z",
    "m0 -4l4 7h-8z",
    "m0 -4l4 4l-4 4l-4 -4z",
    "m0 4l4 -7h-8z",
    "m-4 -1h3v-3h2v3h3v2h-3v3h-2v-3h-3z",
)
"""The shapes of points, so that classes differ in more than colour."""


def marker(x: float, y: float, number: int) -> str:
    """Return a point as a piece of a path; points of one number look alike."""
    return f"M{x:.2f} {y:.2f}{MARKERS[number % len(MARKERS)]}"
