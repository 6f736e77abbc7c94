"""What every picture is as an SVG file: its frame, its words for a screen reader, and its text."""

from __future__ import annotations

from xml.etree import ElementTree


def frame(width: str, height: str, *, title: str, description: str, style: str) -> ElementTree.Element:
    """Return an empty picture of a size in pixels; a browser may scale it."""
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}"})
    root.attrib |= {"width": width, "height": height, "role": "img", "aria-labelledby": "title description"}
    ElementTree.SubElement(root, "title", id="title").text = title
    ElementTree.SubElement(root, "desc", id="description").text = description
    ElementTree.SubElement(root, "style").text = style
    return root


def text_of(root: ElementTree.Element) -> str:
    """Return a picture as the text of its file; the same picture gives the same text."""
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
