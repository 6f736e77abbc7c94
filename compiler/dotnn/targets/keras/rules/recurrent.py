"""Recurrent layers, and what goes with sequences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dotnn.library.layers.base import Attrs, Types
from dotnn.library.layers.cells import BODY, recurrence_of
from dotnn.library.layers.loop import PLAIN, ROLES, ROWS
from dotnn.targets.keras.call import Keras, only_set, without
from dotnn.targets.keras.rules.base import LayerRule, with_arguments

UNROLLED = 32
"""So many steps of an rnn are written out for XLA, which then fuses them: measured at 20 steps of 16 units, 1.5 times
as fast. LSTM and GRU are left to cuDNN, which wants them whole."""


HELD = "held"
"""The attribute of a use of a shared layer of which another use is held."""


def is_held(attrs: Attrs) -> bool:
    """Whether masked steps may hand out a first state that is not zero, which Keras's own layers do not."""
    roles = attrs.get(ROLES, ())
    if BODY not in attrs:
        return "mask" in roles and len(roles) > len(PLAIN)
    body = recurrence_of(attrs)
    state = next((s for s in body.states if s.name == body.output), None)
    return "mask" in roles and state is not None and (state.start != 0 or f"initial {state.name}" in roles)


def _cell_options(attrs: Attrs) -> dict[str, object]:
    """Return what is said of the cell of a Keras layer: what one step computes."""
    return {
        **({"activation": attrs["act"]} if attrs["act"].name != "tanh" else {}),
        **({"recurrent_activation": attrs["gate"]} if "gate" in attrs and attrs["gate"].name != "sigmoid" else {}),
        **without(use_bias=attrs["bias"]),
        **({"reset_after": False} if attrs.get("reset") == "before" else {}),
        **{rate: attrs[rate] for rate in ("dropout", "recurrent_dropout") if attrs[rate]},
    }


def carried_variables(states: Iterable[str]) -> dict[str, str]:
    """Return what the class that carries states from batch to batch calls each of them."""
    return {f"{state}.carried": f"carried_{i}" for i, state in enumerate(states)}


def order_and_mask(attrs: Attrs, *, masked: bool) -> Keras | None:
    """Return what brings a sequence into the order of time, and takes the mask off that Keras would hand on."""
    if attrs["reverse"]:
        return Keras("keras.ops.flip", options={"axis": 1})
    return Keras("keras.ops.copy") if masked else None


def _operands(roles: Sequence[str], more: str) -> str:
    """Return how the operands are passed: the mask and the first states by name; the state `more` may be given none."""
    at = {role: f"{{{i}}}" for i, role in enumerate(roles)}
    given = ["{0}", *(f"mask={at[role]}" for role in ("mask",) if role in at)]
    first = [at.get(f"initial {state}") for state in f"h{more}"]
    if any(first):
        like = next(filter(None, first))
        states = ", ".join(state or f"keras.ops.zeros_like({like})" for state in first)
        given.append(f"initial_state=[{states}]")
    return ", ".join(given) if len(given) > 1 else ""


def _recurrent(kind: str, types: Types, attrs: Attrs) -> Keras:
    """Return the call; read backwards, Keras returns the sequence in the order in which it was read.

    With gates and dropout of the state, or where the gradient is cut, it is a loop around a cell.
    """
    roles = attrs.get(ROLES, PLAIN[: len(types)])
    sequence, after, gated = attrs["returns"] == "sequence", attrs.get("reset") == "after", "gate" in attrs
    loop = only_set(return_sequences=sequence, go_backwards=attrs["reverse"])
    unroll = only_set(unroll=not gated and types[0].example[0] <= UNROLLED)
    bias = {"b": "cell.bias[0]", "b_U": "cell.bias[1]"} if after else {"b": "cell.bias"}
    whole = Keras(
        kind,
        (attrs["units"],),
        {**_cell_options(attrs), **loop, **unroll},
        then=order_and_mask(attrs, masked="mask" in roles) if sequence else None,
        operands=_operands(roles, "c" if kind.endswith("LSTM") else ""),
        variables={"W": "cell.kernel", "U": "cell.recurrent_kernel", **bias},
        xla=not gated,
    )
    tied = bool(attrs["recurrent_dropout"]) and gated
    held = HELD in attrs or is_held(attrs)
    apart = tied or held or attrs["truncate"] or attrs["stateful"]
    return _around_a_cell(whole, loop, attrs, tied=tied, held=held) if apart else whole


def _around_a_cell(whole: Keras, loop: Attrs, attrs: Attrs, *, tied: bool, held: bool) -> Keras:
    """Return the loop around a cell.

    All gates of a `tied` one see the same mask of the state; a `held` one hands out its first state where it is masked.
    """
    kind = f"{whole.name}Cell"
    name = f"Tied{kind.rpartition('.')[2]}" if tied else kind
    step = Keras(name, (attrs["units"],), _cell_options(attrs))
    around = replace(whole, name="HeldRNN" if held else "keras.layers.RNN", arguments=(), options=loop, cell=step)
    cut = {"truncate": attrs["truncate"], **loop}
    if attrs["stateful"]:
        states = "hc" if kind.endswith("LSTMCell") else "h"
        variables = {**whole.variables, **carried_variables(states)}
        return replace(around, name="CarriedRNN", options={"rows": attrs[ROWS], **cut}, variables=variables, xla=False)
    return replace(around, name="TruncatedRNN", options=cut, xla=False) if attrs["truncate"] else around


RNN = LayerRule("rnn", ("keras.layers.SimpleRNN",), _recurrent)
LSTM = LayerRule("lstm", ("keras.layers.LSTM",), _recurrent)
GRU = LayerRule(
    "gru",
    ("keras.layers.GRU",),
    _recurrent,
    "whose bias [2, 3 units] is b above b_U; reset = before is reset_after=False",
)
PADDING_MASK = with_arguments("padding_mask", "keras.ops.not_equal", "padding")
SEQUENCE_DROPOUT = with_arguments(
    "sequence_dropout", "keras.layers.SpatialDropout1D", "rate", replicas="GlobalSequenceDropout"
)
