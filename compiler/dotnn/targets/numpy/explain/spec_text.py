"""What the spec says: the headings of paragraphs, and the places in it."""

from __future__ import annotations

import re

from dotnn.codegen.spec_places import SpecPlaces
from dotnn.core.diagnostics import Span
from dotnn.ir.node import Node
from dotnn.model.model import Model, Step
from dotnn.targets.numpy.explain.calls import Call

DEFINES = re.compile(r"\s*(?:output\s+)?([A-Za-z_]\w*)\s*=[^=]")


class SpecText(SpecPlaces):
    """The texts and lines of a spec's statements."""

    def __init__(self, model: Model, section: Span | None = None) -> None:
        super().__init__(model.source)
        self.section = section or Span(0, len(self.source.text))
        self.steps: dict[str, Step] = {step.path: step for step in model.steps}

    def place_of_key(self, key: str) -> str:
        """Return where the train section says something, "" where it does not."""
        found = self._key(key)
        if found is None:
            return ""
        line = self.source.text.count("\n", 0, found.start("said")) + self.source.first_line
        return f"{self.file}:{line}"

    def text_of_key(self, key: str) -> str:
        """Return what the train section says, as `stop = early(val_loss)`, "" where it does not."""
        found = self._key(key)
        return " ".join(found["said"].split()) if found else ""

    def _key(self, key: str) -> re.Match[str] | None:
        pattern = re.compile(rf"^[^#\n]*?\b(?P<said>{key}\w*\s*=[^#\n}}]*)", re.MULTILINE)
        return pattern.search(self.source.text, self.section.start, self.section.end)

    def statement(self, item: Node | Call) -> Span | None:
        """Return the statement that an item of a function belongs to, within that function."""
        if isinstance(item, Call):
            if item.use is not None:
                return item.use.statement
            assert item.step is not None
            return item.step.places.statement
        step = self.steps.get(item.layer)
        return step.places.statement if step else None

    def in_call(self, node: Node, call: Call) -> Span | None:
        """Return the statement that a node belongs to, in the function of `call`."""
        step = self.steps.get(node.layer)
        if step is None:
            return None
        uses = step.places.uses
        depth = sum(1 for c in call.ancestors() if c.use is not None)
        return uses[depth].statement if depth < len(uses) else step.places.statement

    def names(self, path: str) -> bool:
        """Whether a statement names the value of a path, which is that of a step."""
        step = self.steps.get(path)
        return step is not None and self.defined(step.places.statement) == path.rpartition(".")[2]

    def defined(self, statement: Span | None) -> str:
        """Return the name that a statement gives to its value, "" where it gives none."""
        if statement is None:
            return ""
        found = DEFINES.match(self.source.text_at(statement))
        return found[1] if found else ""
