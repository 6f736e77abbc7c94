"""The steps of a network as they are read: layers applied to values, their shapes inferred, their parameters made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from dotnn.core.diagnostics import Source, Span
from dotnn.core.limits import MAX_LAYERS, MAX_PARAMETERS, MAX_SIZE
from dotnn.ir.tensor import Attrs, TensorType
from dotnn.library.layers import Layer
from dotnn.library.layers.base import ParamSpec, ShapeError, shape_text
from dotnn.library.values import FAMILY
from dotnn.model import messages
from dotnn.model.messages.base import Fail, several
from dotnn.model.paths import PathPart
from dotnn.model.scope import Draft, Scope, SharedLayer, Tensor, Weight

TOO_MANY_LAYERS = f"the model has more than {MAX_LAYERS:,} layers"


class Steps:
    """Drafts of steps, in the order in which the network computes them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.drafts: list[Draft] = []
        self.size = 0

    def apply(
        self,
        layer: Layer,
        attrs: Attrs,
        operands: tuple[Tensor, ...],
        span: Span,
        scope: Scope,
        *,
        weights: tuple[Weight, ...] = (),
        kind: str = "",
        frozen: Span | None = None,
    ) -> Tensor:
        """Add one step with parameters of its own, and `weights` as operands behind the others.

        In names it is called `kind`, if not after its layer. `frozen` is where the call says that it is not trained.
        Raises `Fail` where operands do not fit, or a limit is reached.
        """
        attrs, type, specs = self._infer(layer, attrs, operands, span, weights)
        specs = _marked(layer, specs, frozen, scope)
        self._check_limits(specs, type, span)
        element = scope.element(kind or layer.name)
        element.has_params = bool(specs)
        value = Tensor(element.value, type, span, layer, attrs)
        return self._append(value, operands, specs, element.params, scope, weights)

    def apply_shared(
        self, shared: SharedLayer, operands: tuple[Tensor, ...], span: Span, scope: Scope, more: Attrs
    ) -> Tensor:
        """Add one use of a shared layer, whose parameters the first use makes; `more` is said of it. Raises `Fail`."""
        attrs, type, specs = self._infer(shared.layer, {**shared.attrs, **more}, operands, span)
        specs = _marked(shared.layer, specs, shared.frozen, scope)
        self._check_limits(specs if shared.specs is None else (), type, span)
        element = scope.element(shared.name)
        self._agree(shared, specs, operands, span)
        value = Tensor(element.value, type, span, shared.layer, attrs)
        return self._append(value, operands, specs, shared.part, scope)

    def origins(self, operands: Sequence[Tensor]) -> str:
        """Say of what shape values are, and where they come from."""
        parts = []
        for t in operands[:4]:
            label = f"{t.label}: " if t.label else ""
            made_by = self.source.words_at(t.span) if t.layer and t.layer.family == FAMILY else t.origin
            parts.append(f"{label}{shape_text(t.type)} from {made_by} ({self.source.place(t.span)})")
        return ";  ".join(parts)

    def declare(self, weight: Weight) -> None:
        """Count a parameter that is declared. Raises `Fail` where the model gets too large."""
        self._check_limits((weight.spec,), weight.type, weight.span)

    def _append(
        self,
        value: Tensor,
        operands: tuple[Tensor, ...],
        specs: tuple[ParamSpec, ...],
        params: PathPart,
        scope: Scope,
        weights: tuple[Weight, ...] = (),
    ) -> Tensor:
        assert value.layer is not None
        made = (value.layer, value.attrs, operands, value, specs, params, value.span, weights)
        self.drafts.append(Draft(*made, scope.statement, scope.uses))
        return value

    def _infer(
        self, layer: Layer, attrs: Attrs, operands: Sequence[Tensor], span: Span, weights: Sequence[Weight] = ()
    ) -> tuple[Attrs, TensorType, tuple[ParamSpec, ...]]:
        """Return all attributes, the type of the result, and the parameters that the layer needs."""
        _check_arity(layer, operands, span)
        types = [*(t.type for t in operands), *(TensorType(w.spec.shape) for w in weights)]
        try:
            attrs = {**attrs, **layer.expand(types, attrs, span)} if layer.expand else attrs
            return attrs, layer.infer(types, attrs), layer.params(types, attrs)
        except ShapeError as error:
            origins = self.origins(operands)
            raise Fail(messages.shapes.shape_mismatch(span, error.message, origins, error.help)) from None

    def _check_limits(self, specs: Sequence[ParamSpec], type: TensorType, span: Span) -> None:
        self.size += sum(math.prod(s.shape) for s in specs)
        size = math.prod(type.example)
        if self.size > MAX_PARAMETERS:
            message = f"the model would have more than {MAX_PARAMETERS:,} parameters ({self.size:,})"
            raise Fail(messages.shapes.limit(span, message, "make this layer smaller"))
        if size > MAX_SIZE:
            message = f"this would hold {size:,} numbers per example; the limit is {MAX_SIZE:,}"
            raise Fail(messages.shapes.limit(span, message))
        if len(self.drafts) >= MAX_LAYERS:
            raise Fail(messages.shapes.limit(span, TOO_MANY_LAYERS, "use fewer of them"))

    def _agree(self, shared: SharedLayer, specs: tuple[ParamSpec, ...], operands: Sequence[Tensor], span: Span) -> None:
        """Make the parameters of a shared layer at its first use; raise `Fail` at another that wants other shapes."""
        found = ", ".join(shape_text(t.type) for t in operands)
        if shared.specs is None:
            shared.specs, shared.first, shared.first_use = specs, found, self.source.line_of(span)
        elif specs != shared.specs:
            raise Fail(messages.shapes.shared_shape(span, shared.name, shared.first, found, shared.first_use))


def _marked(layer: Layer, specs: tuple[ParamSpec, ...], frozen: Span | None, scope: Scope) -> tuple[ParamSpec, ...]:
    """Return parameters with what the spec says of their training. Raises `Fail` where there are none to freeze."""
    if frozen is not None and not specs:
        raise Fail(messages.weights.no_parameters(frozen, layer.name))
    if frozen is None and not scope.frozen:
        return specs
    return tuple(spec if spec.rows else replace(spec, frozen=True) for spec in specs)


def _check_arity(layer: Layer, operands: Sequence[Tensor], span: Span) -> None:
    least, most = layer.arity
    if least <= len(operands) and (most is None or len(operands) <= most):
        return
    raise Fail(messages.calls.wrong_arity(span, layer.name, _expected(least, most), len(operands), _arity_help(layer)))


def _expected(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {several(least, 'value')}"
    return several(least, "value") if least == most else f"{least} to {most} values"


def _arity_help(layer: Layer) -> str:
    least, most = layer.arity
    if layer.family == "join":
        return f"write {layer.name}({', '.join('abcdefgh'[: max(least, 2)])}{', …' if most is None else ''})"
    return f"join them first: concat(a, b) -> {layer.name}{'(…)' if layer.args else ''}"
