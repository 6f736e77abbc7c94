"""Recurrent layers: each is one step of time, which a loop repeats; the gates stand in Keras's order.

What does not depend on the step before, x W + b, is computed for all steps at once, before the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from dotnn.core.arguments import BOOL, COUNT, FRACTION, INTEGER, POSITIVE_INT, Arg, Bound, Symbol, choice
from dotnn.ir.expr import Binary, Expr, Name, constant
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import (
    ACTIVATION,
    INHERIT,
    INIT,
    PENALTY,
    Attrs,
    Layer,
    Lowering,
    ParamSpec,
    ShapeError,
    Types,
    activate,
    is_identity,
    require_real,
    shape_text,
)

Values = Mapping[str, Value]
Step = Callable[[Builder, Lowering, Values], Values]
ROLES = "roles"
"""The attribute that says what each operand is: "x", "mask", or "initial h"; without it they are `PLAIN`."""
PLAIN = ("x", "mask")
ROWS = "rows"
"""The attribute of a stateful layer that says how many examples a batch has; it is known once the whole spec is."""


def _nothing(b: Builder, low: Lowering) -> Values:
    return {}


@dataclass(frozen=True)
class Cell:
    """One kind of recurrence: its states, how many gates share W, one step, and what the steps share beside U."""

    name: str
    states: str
    gates: int
    step: Step
    prepare: Callable[[Builder, Lowering], Values] = _nothing


def _infer(cell: Cell, types: Types, attrs: Attrs) -> TensorType:
    name = cell.name
    x = types[0]
    require_real(x, name)
    if len(x.example) != 2:
        raise ShapeError(
            f"{name} reads a sequence [time, features], not {shape_text(x)}",
            f"write returns = sequence in a recurrent layer before it, or -> reshape([{x.example[0]}, 1])"
            if len(x.example) == 1
            else "write -> reshape([time, features])",
        )
    _check_operands(name, x, list(zip(attrs.get(ROLES, PLAIN), types, strict=False)), attrs)
    for arg in ("act", "gate"):
        if arg in attrs and attrs[arg].entry.params(types, attrs[arg].attrs):
            raise ShapeError(f"{arg} = {attrs[arg]} has parameters of its own", f"put {attrs[arg].name} behind {name}")
    steps = x.shape[1:2] if attrs["returns"] == "sequence" else ()
    return TensorType((x.shape[0], *steps, attrs["units"]))


def _check_operands(name: str, x: TensorType, roles: Sequence[tuple[str, TensorType]], attrs: Attrs) -> None:
    """Raise `ShapeError` for a mask that is not of the steps of x, and a first state of another size."""
    for mask in (t for role, t in roles if role == "mask"):
        if mask.dtype == "real" or mask.example != x.example[:1]:
            raise ShapeError(
                f"the mask of {name} must hold one whole number for each of the {x.example[0]} steps,"
                f" not {shape_text(mask)} {mask.dtype}",
                "padding_mask makes one from tokens",
            )
    for role, state in roles:
        if role.startswith("initial ") and (state.dtype != "real" or state.example != (attrs["units"],)):
            raise ShapeError(
                f"the state {role.removeprefix('initial ')} of {name} is [{attrs['units']}], but its initial value is"
                f" {shape_text(state)}{'' if state.dtype == 'real' else f' {state.dtype}'}",
                "bring it to the size of the state: initial = h -> dense(units)",
            )


def _params(cell: Cell, types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    inputs, units, gates = types[0].example[-1], attrs["units"], cell.gates
    weights = [
        ParamSpec("W", (inputs, gates * units), attrs["init"], attrs["penalty"]),
        ParamSpec("U", (units, gates * units), attrs["recurrent_init"], attrs["penalty"]),
    ]
    if attrs["bias"]:
        weights.append(ParamSpec("b", (gates * units,), attrs["bias_init"], is_weight=False))
    if attrs["bias"] and attrs.get("reset") == "after":
        weights.append(ParamSpec("b_U", (gates * units,), attrs["bias_init"], is_weight=False))
    return (*weights, *carried(dict.fromkeys(cell.states, (units, 0.0)), attrs))


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
        results = b.scan(sequences, start, body, reverse=attrs["reverse"], collect=collect, final=final)
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


def _lower(cell: Cell, b: Builder, low: Lowering) -> Value:
    """Write the loop: x W + b in front of it, dropout masks drawn once for the whole sequence, then the steps."""
    attrs = low.attrs
    bias = [low.params["b"]] if attrs["bias"] else []
    xz = b.emit("affine", silenced(b, low, low.x), low.params["W"], *bias, name="xz")
    widths = dict.fromkeys(cell.states, (attrs["units"], 0.0))
    shared: dict[str, Value] = {}

    def step(b: Builder, at: Values) -> Values:
        return cell.step(b, low, {**shared, **at})

    loop = LoopOverTime(low, {"xz": xz}, xz, widths, step, "h")
    shared |= cell.prepare(b, low)
    return loop.write(b)


def _rnn_step(b: Builder, low: Lowering, at: Values) -> Values:
    z = b.emit("step_affine", at["xz"], at["h_in"], low.params["U"], name="z")
    return {"h": _act(b, low, "act", z, _name("h", at))}


def _lstm_step(b: Builder, low: Lowering, at: Values) -> Values:
    units = low.attrs["units"]
    z = b.emit("step_affine", at["xz"], at["h_in"], low.params["U"], name="z")
    zi, zf, zg, zo = (_gate(b, z, k, units, f"z{name}") for k, name in enumerate("ifgo"))
    i = _act(b, low, "gate", zi, "i")
    f = _act(b, low, "gate", zf, "f")
    g = _act(b, low, "act", zg, "g")
    c = b.emit("gated_sum", f, at["c"], i, g, name=_name("c", at))
    o = _act(b, low, "gate", zo, "o")
    said = f"h_t = o {low.attrs['act'].name}(c_t)"
    h = b.emit("multiply", o, _act(b, low, "act", c, "c_act"), name=_name("h", at), comment=said)
    return {"h": h, "c": c}


def _gru_step(b: Builder, low: Lowering, at: Values) -> Values:
    """Write one step: z says what is kept, r what the candidate g sees of the state (before or behind the product)."""
    units, after = low.attrs["units"], low.attrs["reset"] == "after"
    bias = [low.params["b_U"]] if "b_U" in low.params else []
    xz, xr, xg = (_gate(b, at["xz"], k, units, f"x{name}") for k, name in enumerate("zrg"))
    if after:
        hU = b.emit("affine", at["h_in"], low.params["U"], *bias, name="hU")
        hz, hr, hg = (_gate(b, hU, k, units, f"h{name}") for k, name in enumerate("zrg"))
    else:
        hz, hr = (b.emit("affine", at["h_in"], at[f"U{name}"], name=f"h{name}") for name in "zr")
    z = _act(b, low, "gate", b.emit("add", xz, hz, name="zz"), "z")
    r = _act(b, low, "gate", b.emit("add", xr, hr, name="zr"), "r")
    if after:
        seen = b.emit("multiply", r, hg, name="seen")
    else:
        reset = b.emit("multiply", r, at["h_in"], name="reset")
        seen = b.emit("affine", reset, at["Ug"], name="seen")
    g = _act(b, low, "act", b.emit("add", xg, seen, name="zg"), "g")
    return {"h": b.emit("blend", z, at["h"], g, name=_name("h", at))}


def _gru_parts(b: Builder, low: Lowering) -> Values:
    """Return the three parts of U, where they do not act together."""
    if low.attrs["reset"] == "after":
        return {}
    return {f"U{name}": _gate(b, low.params["U"], k, low.attrs["units"], f"U{name}") for k, name in enumerate("zrg")}


COMMENTS = {
    "zi": "the input gate",
    "zf": "the forget gate",
    "zg": "what may be added to c",
    "zo": "the output gate",
    "xz": "the update gate",
    "xr": "the reset gate",
    "xg": "the candidate for h",
}
"""What the columns belong to, for the reader of the script."""


def _gate(b: Builder, z: Value, k: int, units: int, name: str) -> Value:
    comment = {"comment": COMMENTS[name]} if name in COMMENTS else {}
    return b.emit("columns", z, name=name, start=k * units, stop=(k + 1) * units, **comment)


def _name(state: str, at: Values) -> str:
    """Where padding may keep the old state, the one that is computed is new."""
    return f"{state}_new" if "m" in at else state


def _act(b: Builder, low: Lowering, arg: str, z: Value, name: str) -> Value:
    bound = low.attrs[arg]
    return z if is_identity(bound) else activate(b, bound, z, low.params, name)


RETURNS = Arg("returns", choice("last", "sequence"), "last", "h after the last step, or after every step")
LOOP = (
    Arg("reverse", BOOL, False, "read from the last step to the first; a sequence keeps the order of time"),
    Arg(
        "truncate", COUNT, 0, "steps after which the gradient stops; the state is carried on (0: never)", training=True
    ),
    Arg(
        "stateful",
        BOOL,
        False,
        "go on in each row of a batch where the batch before it has ended, in training; else from nothing",
        training=True,
    ),
    Arg("dropout", FRACTION, 0.0, "share of the inputs that is silenced, the same ones in every step", training=True),
    Arg(
        "recurrent_dropout",
        FRACTION,
        0.0,
        "share of the state that is silenced, the same one in every step",
        training=True,
    ),
)
"""What is said of the loop, whatever a step computes."""


def _args(bias_init: Symbol, *more: Arg) -> tuple[Arg, ...]:
    return (
        Arg("units", POSITIVE_INT, doc="size of the state h"),
        RETURNS,
        Arg("act", ACTIVATION, Symbol("tanh"), "activation of the state"),
        *more,
        *LOOP,
        Arg("bias", BOOL, True, "whether to add b"),
        Arg("init", INIT, INHERIT, "initialiser of W; `train { init }`, else xavier"),
        Arg("recurrent_init", INIT, Symbol("orthogonal"), "initialiser of U"),
        Arg("bias_init", INIT, bias_init, "initialiser of b"),
        Arg("penalty", PENALTY, INHERIT, "penalty on W and U, added to the loss; `train { decay }`, else none"),
    )


GATE = Arg("gate", ACTIVATION, Symbol("sigmoid"), "activation of the gates")
MASKED = "A second operand, if there is one, is a mask [time]: where it is 0 the state stays as it was."


def _layer(cell: Cell, doc: str, args: tuple[Arg, ...], equation: str) -> Layer:
    return Layer(
        cell.name,
        f"{doc} {MASKED}",
        partial(_lower, cell),
        args,
        partial(_infer, cell),
        partial(_params, cell),
        arity=(1, 2 + len(cell.states)),
        equation=equation,
        inputs=("x",),
        optional=("mask", *(f"initial {state}" for state in cell.states)),
    )


RNN = _layer(
    Cell("rnn", "h", 1, _rnn_step),
    "Recurrent layer of Elman (1990).",
    _args(INHERIT),
    equation="h_t = act(x_t W + h_{t-1} U + b)",
)

LSTM = _layer(
    Cell("lstm", "hc", 4, _lstm_step),
    "Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate Gers et al. 2000).",
    _args(Symbol("forget_one"), GATE),
    equation="z_i, z_f, z_g, z_o = x_t W + h_{t-1} U + b,  c_t = gate(z_f) c_{t-1} + gate(z_i) act(z_g),"
    "  h_t = gate(z_o) act(c_t)",
)

RESET = Arg("reset", choice("after", "before"), "after", "where the gate r acts: behind the product with U, or on h")

GRU = _layer(
    Cell("gru", "h", 3, _gru_step, _gru_parts),
    "Gated recurrent unit (Cho et al. 2014).",
    _args(INHERIT, GATE, RESET),
    equation="z, r: gates;  g = act(x_t W_g + r (h_{t-1} U_g + b_U)), or act(x_t W_g + (r h_{t-1}) U_g);"
    "  h_t = z h_{t-1} + (1 - z) g",
)


def _mask_type(types: Types, attrs: Attrs) -> TensorType:
    (x,) = types
    if x.dtype == "real":
        raise ShapeError("padding_mask compares whole numbers, but its operand holds real ones", "give it the tokens")
    return TensorType(x.shape, "bool")


def _is_sequence(types: Types, attrs: Attrs) -> TensorType:
    require_real(types[0], "sequence_dropout")
    if len(types[0].example) != 2:
        shape = shape_text(types[0])
        raise ShapeError(f"sequence_dropout reads a sequence [time, features], not {shape}", "use dropout")
    return types[0]


PADDING_MASK = Layer(
    "padding_mask",
    "True where a token is not padding: a mask for recurrent layers.",
    lambda b, low: b.emit("differs", low.x, value=low.attrs["padding"]),
    (Arg("padding", INTEGER, 0, "the token that fills short sequences up"),),
    infer=_mask_type,
)

SEQUENCE_DROPOUT = Layer(
    "sequence_dropout",
    "Dropout with one mask for all steps of a sequence (variational dropout, Gal and Ghahramani 2016).",
    lambda b, low: b.emit(
        "dropout", low.x, b.emit("sequence_dropout_mask", low.x, name="mask", keep=1 - low.attrs["rate"])
    ),
    (Arg("rate", FRACTION, doc="probability that a feature is silenced in all steps", training=True),),
    infer=_is_sequence,
)
