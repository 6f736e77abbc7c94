"""The two functions of one call: forward and backward."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import groupby

from dotnn.codegen import tree
from dotnn.codegen.printer import COMMENT_COLUMN, RIGHT, print_body
from dotnn.codegen.wrap import INDENT
from dotnn.core.diagnostics import Span
from dotnn.ir.node import Node
from dotnn.passes.fuse_losses import FUSED
from dotnn.targets.numpy.explain.call_statements import CallStatements
from dotnn.targets.numpy.explain.calls import Call, Item
from dotnn.targets.numpy.explain.functions import Half, nodes_of

NAMELESS = re.compile(r"output [^=]*$")
WORD = re.compile(r"[^\W\d]\w*")
WriteCall = Callable[[Call, Sequence[Call]], list[tree.Stmt]]
FEW_NAMES = 9
"""So many stored values get their names at the top of a flat network's backward function, more where they are read."""


def _headed(heading: Sequence[tree.Stmt], made: Sequence[tree.Stmt]) -> list[tree.Stmt]:
    """Return a paragraph; where its only line is what the spec says, it is not said twice.

    So it is said beside the only line of an output without a name.
    """
    match heading, made:
        case [tree.Heading(text, place)], [tree.Assign(comment=shape) as line] if shape and place:
            code = f"{', '.join(line.targets)} = {line.value}"
            short = len(code) < COMMENT_COLUMN - INDENT
            if text.removeprefix("output ") == code and short:
                return [replace(line, place=place)]
            beside = f"{shape}   {text}"
            if NAMELESS.match(text) and short and COMMENT_COLUMN + len(f"  {beside}  {place}") < RIGHT:
                return [replace(line, comment=beside, place=place)]
    return [*heading, *made]


class Writer(CallStatements):
    """Writes the forward and the backward function of one call."""

    def forward(self) -> Half:
        """Return the forward function."""
        self.unpacked = {}
        body = self._body("forward", self.forward_call)
        if self.call.parent is not None:
            body = self._without_unread(body)
        return Half(self.arguments("forward"), body, [self.name(v) for v in self.leaving()])

    def _without_unread(self, body: list[tree.Stmt]) -> list[tree.Stmt]:
        """Return the statements without values that an op is given and whose line does not name.

        So is the share of an example in the statistics of its batch, where no gradient goes back through them.
        """
        frame = self.flow.frames[self.call]
        kept = {self.name(v) for v in (*frame.saved.values(), *self.leaving())}
        named = Counter(word for line in print_body(body) for word in WORD.findall(line))
        return [s for s in body if not isinstance(s, tree.Assign) or kept & {*s.targets} or named[s.targets[0]] > 1]

    def backward(self) -> Half | None:
        """Return the backward function, None where nothing goes back."""
        if not self.call.backward:
            return None
        self.unpacked = {}
        self.targets = {}
        if not self.flat:
            self.targets = {i: [f'grads["{key}"]' for key in keys] for i, keys in self.final_entries.items()}
        body = self._body("backward", self.backward_call)
        results = [self.ref(v, "backward") for v in self.sent()]
        return Half(self.arguments("backward"), body, results, self.entries())

    def _body(self, phase: str, write_call: WriteCall) -> list[tree.Stmt]:
        chosen = self.choose_unpacked(phase)
        body: list[tree.Stmt] = []
        if self.call.kind == "layer" or (phase == "backward" and self.flat and len(chosen) <= FEW_NAMES):
            wanted = self.wanted(phase, self.call.items(phase))
            body += self.unpack([v for v in wanted if v.id in chosen], phase)
        for span, items in self.paragraphs(phase):
            made = self._paragraph(items, phase, chosen, write_call)
            body += _headed(self.heading(span, items), made) if made else []
        return body

    def _paragraph(
        self, items: Sequence[Item], phase: str, chosen: Collection[int], write_call: WriteCall
    ) -> list[tree.Stmt]:
        """Return the statements of one statement of the spec; `chosen` are the stored values that get names."""
        made: list[tree.Stmt] = []
        copies = self.copies(items)
        skipped = {c for run in copies.values() for c in run[1:]}
        self.within = {}
        for is_node, run in groupby(items if phase == "backward" else [], lambda item: isinstance(item, Node)):
            if is_node:
                nodes = [item for item in run if isinstance(item, Node)]
                named = {v.id: self.name(v) for v in self.wanted(phase, nodes) if v.id in chosen}
                self.settle(nodes, self._read_beyond(nodes), INDENT, named)
        for item in items:
            if isinstance(item, Node) or item not in skipped:
                made += self.unpack([v for v in self.wanted(phase, [item]) if v.id in chosen], phase)
                made += self.node(item, phase) if isinstance(item, Node) else write_call(item, copies.get(item, [item]))
        return made

    def _read_beyond(self, items: Sequence[Item]) -> set[int]:
        """Return the numbers of the values that the backward function reads outside of a paragraph, or returns."""
        others = [item for item in self.call.backward if item not in items]
        read = {v.id for item in others if isinstance(item, Node) for n in nodes_of(item) for v in n.ins}
        handed = {i for item in others if isinstance(item, Call) for i in self.flow.frames[item].returning}
        return read | handed | self.frame.sent.keys() | {v.id for v in self.flow.graph.grads.values()}

    def heading(self, span: Span | None, items: Sequence[Item]) -> list[tree.Stmt]:
        """Return the heading of a paragraph; a layer's function needs none."""
        if self.call.kind == "layer":
            return []
        if span is not None:
            return [tree.Heading(self.spec.text(span), self.spec.place(span))]
        first = next((n for i in items for n in nodes_of(i)), None)
        if first is None or not first.layer:
            return []
        if first.op in ("accumulate", "zeros_like") and first.span is None:
            shared = first.op == "accumulate"
            return [tree.Heading("what is used several times" if shared else "what the loss does not depend on")]
        return [tree.Heading(f"{first.layer}{self._simplified(first.layer)}", self.spec.place(first.span))]

    def _simplified(self, layer: str) -> str:
        """Say of a loss that is differentiated together with the activation before it that it is, "" for others."""
        activations = {op: activation for (activation, _), op in FUSED.items()}
        fused = [activations[n.op] for n in self.flow.graph.phase("loss") if n.layer == layer and n.op in activations]
        return f", differentiated together with the {fused[0]} before it" if fused else ""
