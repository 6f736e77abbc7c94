"""The loop of a recurrent layer: from what its states start, what a step is given, and what is carried on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dotnn.core.arguments import Bound
from dotnn.ir.expr import Binary, Expr, Name, constant
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import Attrs, Lowering, ParamSpec, ShapeError

Values = Mapping[str, Value]
ROLES = "roles"
"""The attribute that says what each operand is: "x", "mask", or "initial h"; without it they are `PLAIN`."""
PLAIN = ("x", "mask")
RECOMPUTE = "recompute"
"""The argument that says every how many steps the states are kept; `passes.in_parts` reads it off the loop."""
ROWS = "rows"
"""The attribute of a stateful layer that says how many examples a batch has; it is known once the whole spec is."""


def carried(widths: Mapping[str, tuple[int, float]], attrs: Attrs) -> tuple[ParamSpec, ...]:
    """Return the state that a stateful layer carries from batch to batch.

    `widths` has how many numbers each state has, and what they are at first.
    """
    from dotnn.library.inits import INITS

    if not attrs["stateful"]:
        return ()
    return tuple(
        ParamSpec(
            f"{state}.carried",
            (units,),
            Bound(INITS["constant"], {"value": start}) if start else Bound(INITS["zeros"], {}),
            is_weight=False,
            trained=False,
            rows=True,
        )
        for state, (units, start) in widths.items()
    )


def check_parts(x: TensorType, attrs: Attrs) -> None:
    """Raise `ShapeError` where a sequence cannot be gone through in the parts that `recompute` asks for."""
    steps, every, cut = x.example[0], attrs[RECOMPUTE], attrs["truncate"]
    if every > steps:
        raise ShapeError(
            f"recompute = {every} is more than the {steps} steps of the sequence",
            f"near the square root of the steps is best: recompute = {max(1, round(steps**0.5))}",
        )
    if every and cut and every % cut:
        raise ShapeError(
            f"recompute = {every} is no multiple of truncate = {cut}: its parts would begin where the gradient goes on",
            f"write recompute = {cut * max(1, min(round(every / cut), steps // cut))}"
            if cut <= steps
            else "leave truncate out: the sequence is shorter",
        )


def by_role(low: Lowering) -> dict[str, Value]:
    """Return the operands of a recurrent layer by what they are."""
    return dict(zip(low.attrs.get(ROLES, PLAIN), low.ins, strict=False))


def silenced(b: Builder, low: Lowering, x: Value, name: str = "x") -> Value:
    """Return a sequence with the dropout of the layer: the same features are silenced in every step."""
    if not low.attrs["dropout"]:
        return x
    mask = b.emit("sequence_dropout_mask", x, name=f"{name}_mask", keep=1 - low.attrs["dropout"])
    return b.emit("dropout", x, mask, name=name)


@dataclass(frozen=True)
class LoopOverTime:
    """The loop of a recurrent layer.

    sequences  what is cut into steps, by its name in a step
    like       a sequence of the same batch
    widths     how many numbers each state has, and what they are before the first step
    step       writes one step: it gets the pieces of the sequences and the states by their names, `h_in` for the state
               h as products with weights read it, and returns what the states are when it ends
    output     the state that is handed out
    """

    low: Lowering
    sequences: Values
    like: Value
    widths: Mapping[str, tuple[int, float]]
    step: Callable[[Builder, Values], Values]
    output: str

    def write(self, b: Builder) -> Value:
        """Write the loop; return the output of the last step, or of all."""
        attrs, roles = self.low.attrs, by_role(self.low)
        start = {name: roles.get(f"initial {name}") or self._start(b, name) for name in self.widths}
        masks = self._masks(b, start)

        def body(at: Values) -> Values:
            before = self._cut(b, at)
            kept = {
                f"{s}_in": b.emit("dropout", before[s], masks[s], name=f"{s}_kept") if s in masks else before[s]
                for s in self.widths
            }
            after = self.step(b, {**before, **kept})
            if "mask" not in roles:
                return after
            return {s: b.emit("where_mask", at["m"], after[s], before[s], name=s) for s in self.widths}

        sequences = {**self.sequences, "m": roles["mask"]} if "mask" in roles else self.sequences
        last = {s: f"{s}_last" for s in self.widths} if attrs["stateful"] else {}
        collect = {self.output: ""} if attrs["returns"] == "sequence" else {}
        final = last if collect else {**last, self.output: ""}
        parts = {RECOMPUTE: attrs[RECOMPUTE]} if attrs[RECOMPUTE] else {}
        results = b.scan(sequences, start, body, reverse=attrs["reverse"], collect=collect, final=final, **parts)
        ends = dict(zip(final, results[len(collect) :], strict=True))
        for state in last:
            kept = self.low.params[f"{state}.carried"]
            b.update_state(kept, "renew_rows", kept, ends[state])
        return results[0] if collect else ends[self.output]

    def _start(self, b: Builder, state: str) -> Value:
        units, value = self.widths[state]
        if self.low.attrs["stateful"]:
            kept = self.low.params[f"{state}.carried"]
            return b.emit("carried_rows", self.like, kept, name=f"{state}_0", units=units, start=value)
        zeros = b.emit("zero_state", self.like, name=f"{state}_0", units=units)
        return b.emit("expression", zeros, name=f"{state}_1", formula=shifted(value)) if value else zeros

    def _masks(self, b: Builder, start: Values) -> Values:
        """Return what silences a part of the states where products with weights read them, in every step the same."""
        rate = self.low.attrs["recurrent_dropout"]
        if not rate:
            return {}
        return {self.output: b.emit("dropout_mask", start[self.output], name=f"{self.output}_mask", keep=1 - rate)}

    def _cut(self, b: Builder, at: Values) -> Values:
        """Return what a step begins with, its states behind the place where the gradient stops every so many steps."""
        every = self.low.attrs["truncate"]
        if not every:
            return at
        cut = {"every": every, "reverse": self.low.attrs["reverse"]}
        return {**at, **{s: b.emit("truncate", at[s], name=f"{s}_in", **cut) for s in self.widths}}


def shifted(value: float) -> Expr:
    """Return the formula of a state that starts elsewhere than at zero."""
    return Binary("+", Name("x0"), constant(value))
