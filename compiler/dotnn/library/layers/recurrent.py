"""Recurrent layers: each is one step of time, which a loop repeats; the gates stand in Keras's order.

What does not depend on the step before, x W + b, is computed for all steps at once, before the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from dotnn.core.arguments import BOOL, COUNT, FRACTION, INTEGER, POSITIVE_INT, Arg, Symbol, choice
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
from dotnn.library.layers.loop import PLAIN, RECOMPUTE, ROLES, LoopOverTime, Values, carried, check_parts, silenced

Step = Callable[[Builder, Lowering, Values], Values]


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
    check_parts(x, attrs)
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
    Arg(
        RECOMPUTE,
        COUNT,
        0,
        "keep only every so many-th state for the way back, and compute the steps between again (0: keep all)",
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
