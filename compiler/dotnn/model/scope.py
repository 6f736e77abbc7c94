"""What a name can denote while a model is being read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dotnn.core.arguments import show_call
from dotnn.core.diagnostics import Source, Span
from dotnn.ir.expr import Expr
from dotnn.ir.tensor import Attrs, TensorType
from dotnn.library.layers import Layer
from dotnn.library.layers.base import ParamSpec
from dotnn.model.constants import Constants, Poison
from dotnn.model.model import Use
from dotnn.model.paths import Element, PathPart
from dotnn.syntax import nodes
from dotnn.syntax.walk import children


@dataclass(frozen=True)
class Tensor:
    """A value of the network, made by a layer with these attributes (None: an input).

    `reduced` maps each axis of an example that a reduction left with length 1 to the length that it had.
    """

    part: PathPart
    type: TensorType
    span: Span
    layer: Layer | None = None
    attrs: Attrs = field(default_factory=dict)
    label: str = ""
    reduced: Mapping[int, int] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """What made it, as a person would write it."""
        return show_call(self.layer.name, self.layer.args, dict(self.attrs)) if self.layer else "input"

    @property
    def path(self) -> str:
        """Its path, once the statement that it is made in has been read."""
        return self.part.path

    def called(self, label: str) -> Tensor:
        """Return the same value under the name by which a statement refers to it."""
        return replace(self, label=label)

    def marked(self, reduced: Mapping[int, int]) -> Tensor:
        """Return the same value with the mark of reductions."""
        return replace(self, reduced=reduced)


@dataclass
class SharedLayer:
    """`layer s = dense(64)`: its parameters are made at the first use, on values of the shapes `first`.

    `frozen` is where the line says that they are not trained.
    """

    name: str
    layer: Layer
    attrs: Attrs
    part: PathPart
    span: Span
    frozen: Span | None = None
    specs: tuple[ParamSpec, ...] | None = None
    first: str = ""
    first_use: int = 0


@dataclass
class SharedBlock:
    """`layer s = Block(…)`: the parameters of all uses are named after it; `shapes` are those of the first use."""

    name: str
    block: nodes.BlockSection
    args: tuple[nodes.Arg, ...]
    part: PathPart
    span: Span
    shapes: Mapping[str, tuple[int, ...]] | None = None
    first: str = ""
    first_use: int = 0


@dataclass(frozen=True)
class Weight:
    """A parameter as an operand: its owner's labels are `part`, and `W.T` is `turned`."""

    spec: ParamSpec
    part: PathPart
    span: Span
    label: str
    turned: bool = False

    @property
    def type(self) -> TensorType:
        """Its type; no axis is the batch."""
        shape = self.spec.shape
        return TensorType((*shape[:-2], *shape[:-3:-1]) if self.turned else shape)

    @property
    def path(self) -> str:
        """The name of the parameter, once the statement that it is made in has been read."""
        return f"{self.part.path}.{self.spec.name}" if self.part.path else self.spec.name

    @property
    def shape_text(self) -> str:
        """Its shape as the spec writes it."""
        return f"[{', '.join(map(str, self.type.shape))}]"

    def transposed(self) -> Weight:
        """Return the same parameter with its last two axes swapped."""
        return replace(self, turned=not self.turned)

    def called(self, label: str) -> Weight:
        """Return the same parameter under the name by which an expression refers to it."""
        return replace(self, label=label)

    def says(self, source: Source) -> str:
        """Say of what shape it is, and where it comes from."""
        turned = ".T" if self.turned else ""
        return f"{self.label}{turned}: {self.shape_text} ({source.place(self.span)})"


Binding = Tensor | SharedLayer | SharedBlock | Weight | Poison


@dataclass(frozen=True)
class OpenUse:
    """A use of a block whose paths are not settled yet; see `model.Use`. `weights` are what it declares.

    `value` is where what it computes belongs, `params` where its parameters do: those of a shared block to its name.
    """

    block: str
    args: Mapping[str, object]
    inputs: Mapping[str, Tensor]
    value: PathPart
    params: PathPart
    span: Span
    statement: Span | None
    declared: Span
    weights: list[Weight] = field(default_factory=list)

    def settled(self) -> Use:
        """Return the use with its paths."""
        inputs = {name: t.path for name, t in self.inputs.items()}
        paths = self.value.path, self.params.path
        return Use(self.block, self.args, inputs, *paths, self.span, self.statement, self.declared)


@dataclass
class Scope:
    """The names visible in the model or in one use of a block."""

    constants: Constants
    value_part: PathPart | None
    param_part: PathPart | None
    names: dict[str, Binding] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    elements: list[Element] = field(default_factory=list)
    statement_value: PathPart | None = None
    statement_params: PathPart | None = None
    blocks_open: tuple[str, ...] = ()
    uses: tuple[OpenUse, ...] = ()
    statement: Span | None = None
    formulas: dict[Expr, tuple[str, Tensor]] = field(default_factory=dict)
    """What formulas of the statement have been computed, under which name the others of the statement read them."""
    formula_names: dict[object, str] = field(default_factory=dict)
    changing: frozenset[str] = frozenset()
    """The names in a cell that depend on its states."""
    states: frozenset[str] = frozenset()
    frozen: bool = False
    """Whether nothing that is made here is trained."""

    def begin(self, name: str, span: Span | None = None) -> None:
        """Start a statement; "" for an unnamed output."""
        self.statement = span
        self.statement_value = PathPart(self.value_part, name)
        self.statement_params = PathPart(self.param_part, name)
        self.elements = []
        self.formulas, self.formula_names = {}, {}

    def element(self, kind: str, *, is_block: bool = False) -> Element:
        """Add a layer or block to the statement."""
        made = Element(kind, PathPart(self.statement_value), PathPart(self.statement_params), is_block=is_block)
        self.elements.append(made)
        return made


@dataclass
class Draft:
    """A step whose names are not settled yet."""

    layer: Layer
    attrs: Attrs
    ins: tuple[Tensor, ...]
    out: Tensor
    specs: tuple[ParamSpec, ...]
    params: PathPart
    span: Span
    weights: tuple[Weight, ...] = ()
    statement: Span | None = None
    uses: tuple[OpenUse, ...] = ()


def next_key(state: str) -> str:
    """Return the name in a cell's scope of what a state is after the step; no statement can have it."""
    return f"next {state}"


def names_read(expr: nodes.Expr) -> set[str]:
    """Return every name in an expression, called or plain (keywords of arguments are not names)."""
    found: set[str] = set()
    pending: list[nodes.Expr] = [expr]
    while pending:
        part = pending.pop()
        if isinstance(part, nodes.Name):
            found.add(part.id)
        elif isinstance(part, nodes.Call):
            found.add(part.func.id)
        pending.extend(children(part))
    return found


def terms_of(expr: nodes.Binary) -> list[nodes.Expr]:
    """Return the operands of a chain `a + b + c` (or of `*`) as one list; `-` is never a chain."""
    if expr.op == "-":
        return [expr.left, expr.right]
    terms: list[nodes.Expr] = []
    left: nodes.Expr = expr
    while isinstance(left, nodes.Binary) and left.op == expr.op:
        terms.append(left.right)
        left = left.left
    return [left, *reversed(terms)]
