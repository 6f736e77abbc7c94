"""A diagram as a Mermaid flowchart, for pages that draw those themselves."""

from __future__ import annotations

from collections.abc import Iterator

from dotnn.reports.diagram.boxes import Box, Diagram

SHAPES = {"input": ("([", "])"), "target": ("([", "])"), "loss": ("{{", "}}"), "block": ("[[", "]]")}
"""What stands around the text of a box, by its kind; square brackets for others."""

NAMES = str.maketrans({"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;"})
"""What Mermaid would take for marks of its own or of HTML."""


def mermaid_of(diagram: Diagram) -> str:
    """Return the text of a flowchart from top to bottom."""
    return "\n".join(["flowchart TD", *(f"    {line}" for line in _lines(diagram)), ""])


def _lines(diagram: Diagram) -> Iterator[str]:
    numbers = {box.name: f"n{number}" for number, box in enumerate(diagram.boxes)}
    for box in diagram.boxes:
        yield f"{numbers[box.name]}{_shape(box)}"
        if box.loops:
            yield f"{numbers[box.name]} --> {numbers[box.name]}"
    for tail, head, _ in diagram.arrows:
        yield f"{numbers[tail]} --> {numbers[head]}"


def _shape(box: Box) -> str:
    before, after = SHAPES.get(box.kind, ("[", "]"))
    text = "<br>".join(line.translate(NAMES) for line in box.lines)
    return f'{before}"{text}"{after}'
