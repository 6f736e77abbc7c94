"""Blocks: a user's own piece of network, expanded afresh at every use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dotnn.core.arguments import show
from dotnn.core.diagnostics import Diagnostic, Source, Span
from dotnn.core.limits import MAX_SIZE
from dotnn.library.layers.base import shape_text
from dotnn.model import messages
from dotnn.model.bind import match
from dotnn.model.constants import Constant, Constants, covers, evaluate, integer, limits_of
from dotnn.model.freezing import without_trainable
from dotnn.model.messages.base import Fail, several
from dotnn.model.scope import OpenUse, Scope, Tensor
from dotnn.syntax import nodes


@dataclass(frozen=True)
class BlockUse:
    """One call of a block, with the arguments and the values that it is given."""

    block: nodes.BlockSection
    args: Sequence[nodes.Arg]
    operands: Sequence[Tensor]
    call: nodes.Call

    @property
    def name(self) -> str:
        """The name of the block."""
        return self.block.name.id

    @property
    def span(self) -> Span:
        """The place of the called name."""
        return self.call.func.span

    def constants(self, outer: Constants, caller: Constants, source: Source) -> dict[str, Constant]:
        """Return the constants that the block sees: the spec's parameters (`outer`), its own in their limits."""
        args, _ = self._freezing(caller)
        given = match(f"block {self.name}", [p.name.id for p in self.block.params], args)
        values: dict[str, Constant] = {}
        for param in self.block.params:
            expr = given.get(param.name.id)
            if expr is not None:
                values[param.name.id] = evaluate(expr, caller)
            elif param.default is not None:
                values[param.name.id] = evaluate(param.default, {**outer, **values})
            else:
                raise Fail(messages.calls.missing_block_argument(self.span, self.name, param.name.id))
            if param.limits is not None:
                limits, text = limits_of(param.limits, outer)
                value, place = values[param.name.id], source.place(param.span)
                if not covers(limits, value):
                    at = (expr or param).span
                    raise Fail(messages.constants.out_of_range(at, param.name.id, show(value), text, place))
        return {**outer, **values}

    def frozen(self, caller: Constants) -> Span | None:
        """Return where the call says that nothing in the block is trained. Raises `Fail` for no truth value."""
        return self._freezing(caller)[1]

    def _freezing(self, caller: Constants) -> tuple[tuple[nodes.Arg, ...], Span | None]:
        known = [p.name.id for p in self.block.params]
        return without_trainable(f"block {self.name}", known, self.args, caller)

    def inputs(self) -> list[nodes.TensorDecl]:
        """Return the declared inputs, one for each operand. Raises `Fail` for a target, or another number of them."""
        declared = [s for s in self.block.statements if isinstance(s, nodes.TensorDecl)]
        for decl in declared:
            if decl.role != "input":
                help = "declare it in the model; a block only computes"
                raise Fail(messages.sections.statement_not_allowed(decl.span, "a target", "block", help))
        if len(declared) != len(self.operands):
            raise Fail(self._wrong_arity([d.name.id for d in declared]))
        return declared

    def _wrong_arity(self, names: Sequence[str]) -> Diagnostic:
        call = f"{self.name}({', '.join(names)})"
        help = f"pass one value for each input: {call}" if names else "declare an input in the block"
        expected, found = several(len(names), "value"), len(self.operands)
        return messages.calls.wrong_arity(self.span, f"block {self.name}", expected, found, help)

    def bind_inputs(self, inner: Scope, constants: dict[str, Constant], source: Source) -> None:
        """Let the names of the inputs denote the operands, and free names in their shapes the operands' sizes."""
        for decl, operand in zip(self.inputs(), self.operands, strict=True):
            name = decl.name.id
            if name in inner.names:
                first = next(d for d in self.inputs() if d.name.id == name)
                raise Fail(messages.names.duplicate_name(decl.name.span, name, source.place(first.span)))
            self._unify(decl, operand, constants)
            inner.names[name] = operand.called(name).marked({})

    def opened(self, inner: Scope, constants: Constants, statement: Span | None) -> OpenUse:
        """Return what the steps in it know of this use, whose names are those of `inner`."""
        assert inner.value_part is not None and inner.param_part is not None
        bound = {name: t for name, t in inner.names.items() if isinstance(t, Tensor)}
        own = {param.name.id: constants[param.name.id] for param in self.block.params}
        parts = inner.value_part, inner.param_part
        return OpenUse(self.name, own, bound, *parts, self.call.span, statement, self.block.span)

    def _unify(self, decl: nodes.TensorDecl, operand: Tensor, constants: dict[str, Constant]) -> None:
        """Bind the free names in an input's shape to the operand's sizes; the others must be equal."""
        problems = unified(decl, operand.type.example, constants)
        if problems:
            declared, found = declared_text(decl), shape_text(operand.type)
            raise Fail(messages.shapes.block_shape(self.span, self.name, decl.name.id, declared, found, problems[0]))


def unified(decl: nodes.TensorDecl, sizes: Sequence[int], constants: dict[str, Constant]) -> list[str]:
    """Bind the free names in a declared shape to sizes; return what is wrong with the others."""
    problems = [_wrong_rank(len(decl.dims), len(sizes))] if len(sizes) != len(decl.dims) else []
    for dim, size in zip(decl.dims, sizes, strict=False):
        if isinstance(dim, nodes.Name) and dim.id not in constants:
            constants[dim.id] = size
        else:
            problems += _wrong_size(dim, size, constants)
    return problems


def declared_text(decl: nodes.TensorDecl) -> str:
    """Return a shape as it was declared."""
    return f"[{', '.join(map(_dim_text, decl.dims))}]"


def _wrong_rank(declared: int, found: int) -> str:
    return f"declared with {declared} {'axis' if declared == 1 else 'axes'}, not {found}"


def _wrong_size(dim: nodes.Expr, size: int, constants: Constants) -> list[str]:
    """Return what is wrong with a size, nothing where it is the declared one."""
    wanted = integer(dim, constants, "a size", MAX_SIZE)
    if wanted == size:
        return []
    return [f"{_dim_text(dim)} is {wanted}, not {size}" if isinstance(dim, nodes.Name) else f"{wanted} is not {size}"]


def _dim_text(dim: nodes.Expr) -> str:
    return dim.id if isinstance(dim, nodes.Name) else str(getattr(dim, "value", "…"))
