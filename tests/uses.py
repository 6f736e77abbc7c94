"""Networks around the uses of every layer that keeps state or draws: once, shared, in a block, repeated, and so on.

Such layers are found in the sample calls of all layers by what they declare: parameters that are not trained, or ops
that draw. A new one joins with its sample.
"""

import math
import re
from dataclasses import dataclass, replace
from functools import cache

from samples import LAYER_SPECS
from support import model_of

from dotnn.core.diagnostics import CompileError
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.passes.build import build


@dataclass(frozen=True)
class Kept:
    """A call, `gru(3, dropout = 0.4)`, and the types of its operands."""

    call: str
    types: tuple[TensorType, ...]

    def on(self, *operands: str) -> str:
        """The call on these values."""
        name, _, arguments = self.call.partition("(")
        return f"{name}({', '.join([*operands, *filter(None, [arguments.removesuffix(')')])])})"

    def operands(self, source: str, marks: str) -> list[str]:
        """What the call is applied to: real numbers are made of the vector `source`, masks of `marks`."""
        made = f"({source} -> dense({{}}, tanh) -> reshape({{}}))"
        real = [made.format(math.prod(t.example), [*t.example]) for t in self.types]
        given = {"int": marks, "bool": f"({marks} -> padding_mask)"}
        return [given.get(t.dtype, value) for t, value in zip(self.types, real, strict=True)]

    @property
    def marks(self) -> str:
        """The type of what its masks are made of, if it has any."""
        return next((f"int{[*t.example]}" for t in self.types if t.dtype != "real"), "")


@cache
def kept_or_drawn() -> tuple[Kept, ...]:
    """The calls in the samples of all layers whose layer has state or draws."""
    found = {}
    for _, spec in LAYER_SPECS:
        model = model_of(spec)
        graph = build(model)
        drawing = {node.layer for node in graph.all_nodes() if node.rule.random}
        for step in model.steps:
            if step.path in drawing or any(not model.params[name].trained for name in step.params.values()):
                types = tuple(graph.steps[path].type for path in step.ins)
                found[Kept(step.call.replace('"', ""), types)] = None
    return tuple(found)


def _once(kept, i):
    return "", f"a{i} = {kept.on(*kept.operands('x', f'm{i}'))} -> flatten  b{i} = a{i} -> dense(2)"


def _shared(kept, i, again=None):
    """Keras, left alone, would run the second use first: it comes to z before it comes to y."""
    first = ", ".join(kept.operands("x", f"m{i}"))
    second = ", ".join((again or kept).operands("u", f"n{i}"))
    return "", f"layer s{i} = {kept.call}  a{i} = s{i}({first}) -> flatten  b{i} = s{i}({second}) -> flatten"


def _in_turn(kept, i):
    """The second use reads the first."""
    first, second = (", ".join(kept.operands(*given)) for given in [("x", f"m{i}"), (f"a{i}", f"n{i}")])
    return "", f"layer s{i} = {kept.call}  a{i} = s{i}({first}) -> flatten  b{i} = s{i}({second}) -> flatten"


def _of_two_ranks(kept, i):
    """The second operand has one axis more than the first."""
    wider = TensorType((BATCH, 2, *kept.types[0].example))
    return _shared(kept, i, replace(kept, types=(wider, *kept.types[1:])))


def _block(kept, i, body):
    return f"block B{i} {{ input h: [n] {f' input m: {kept.marks}' * bool(kept.marks)} {body} }}\n"


def _in_block(kept, i):
    block = _block(kept, i, f"output o = {kept.on(*kept.operands('h', 'm'))} -> flatten")
    first, second = (f"B{i}({source}{f', {marks}{i}' * bool(kept.marks)})" for source, marks in ["xm", "un"])
    return block, f"b{i} = {first}  a{i} = {second}"


def _repeated(kept, i):
    block = _block(kept, i, f"output o = {kept.on(*kept.operands('h', 'm'))} -> flatten -> dense(4)")
    return block, f"a{i} = x -> repeat(2, B{i}({f'm{i}' * bool(kept.marks)}))  b{i} = a{i} -> dense(2)"


def _shared_in_block(kept, i):
    first, second = (", ".join(kept.operands(source, "m")) for source in ("h", "(h -> tanh)"))
    uses = f"a = s({first}) -> flatten  b = s({second}) -> flatten"
    return _block(kept, i, f"layer s = {kept.call}  {uses}  output o = concat(a, b)"), _in_block(kept, i)[1]


FORMS = {
    "once": _once,
    "shared": _shared,
    "one after the other": _in_turn,
    "of two ranks": _of_two_ranks,
    "in a block": _in_block,
    "repeated": _repeated,
    "shared in a block": _shared_in_block,
}


@cache
def calls(form: str) -> tuple[Kept, ...]:
    """The calls that can be used in this form: not all layers take operands of several ranks."""
    return tuple(kept for kept in kept_or_drawn() if form != "of two ranks" or _takes_two_ranks(kept))


def _takes_two_ranks(kept):
    try:
        return model_of(network("of two ranks", kept)) is not None
    except CompileError:
        return False


def network(form: str, *used: Kept) -> str:
    """A spec with two outputs, in which every call is used in this form."""
    parts = [FORMS[form](kept, i) for i, kept in enumerate(used)]
    blocks, text = "".join(block for block, _ in parts), "  ".join(statements for _, statements in parts)
    read = set(re.findall(r"\w+", text))
    marks = [f"input {m}{i}: {kept.marks}" for i, kept in enumerate(used) for m in "mn" if f"{m}{i}" in read]
    first, second = (", ".join(f"{name}{i}" for i in range(len(used))) for name in "ab")
    return f"""{blocks}model M {{
      input  x: [4]
      target t: [1]
      target r: [2]
      {"  ".join(marks)}
      {"u = x -> dense(4, tanh)" if "u" in read else ""}
      {text}
      output y = concat(x, {first}) -> dense(1)
      output z = concat(x, {second}) -> dense(2)
    }}
    train {{ loss = mse(y, t) + 0.3 * mse(z, r)  optim = sgd(0.1)  batch = 4 }}"""
