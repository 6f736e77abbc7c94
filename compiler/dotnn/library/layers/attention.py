"""Attention (Vaswani et al. 2017): every position reads from all others, weighted by how well key and query fit."""

from __future__ import annotations

from dotnn.core.arguments import BOOL, POSITIVE_INT, Arg
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.layers.base import (
    INHERIT,
    INIT,
    Attrs,
    Layer,
    Lowering,
    ParamSpec,
    ShapeError,
    Types,
    require_real,
    shape_text,
)

CAUSAL = Arg("causal", BOOL, False, "whether a position sees only itself and those before it")
MASK = "A fourth operand is a mask, one number per key: where it is 0 the key is not seen."


def _check_sequences(types: Types, what: str) -> None:
    for t in types[:3]:
        require_real(t, what)
        if len(t.example) != 2:
            raise ShapeError(f"{what} works on sequences [time, features], not on {shape_text(t)}")


def _check_keys(key: TensorType, value: TensorType, mask: Types) -> None:
    if key.shape[1] != value.shape[1]:
        raise ShapeError(
            f"there must be one value per key, but keys are {shape_text(key)} and values {shape_text(value)}",
            "make both of the same sequence",
        )
    if mask and mask[0].shape != (BATCH, key.shape[1]):
        raise ShapeError(
            f"the mask must have one number per key, [{key.shape[1]}], not {shape_text(mask[0])}",
            f"declare input mask: [{key.shape[1]}]",
        )


def _infer_attention(types: Types, attrs: Attrs) -> TensorType:
    _check_sequences(types, "attention")
    query, key, value, *mask = types
    if query.shape[-1] != key.shape[-1]:
        raise ShapeError(
            f"queries {shape_text(query)} and keys {shape_text(key)} must have the same number of features",
            "bring one to the other's width with a dense layer: -> dense(n)",
        )
    _check_keys(key, value, mask)
    return TensorType((BATCH, query.shape[1], value.shape[2]))


def _weights(b: Builder, scores: Value, mask: tuple[Value, ...], causal: bool) -> Value:
    """Return the softmax of the scores, over the keys that may be seen."""
    if causal:
        scores = b.emit("mask_future", scores, name="causal")
    if mask:
        seen = mask[0] if mask[0].type.dtype == "bool" else b.emit("is_seen", *mask, name="seen")
        scores = b.emit("mask_keys", scores, seen, name="masked")
    return b.emit("softmax", scores, name="weights")


def _lower_attention(b: Builder, low: Lowering) -> Value:
    query, key, value, *mask = low.ins
    root = query.type.example[-1]
    scores = b.emit("einsum", query, key, equation="bqd,bsd->bqs", root=root, name="scores")
    weights = _weights(b, scores, tuple(mask), low.attrs["causal"])
    return b.emit("einsum", weights, value, equation="bqs,bsv->bqv")


ATTENTION = Layer(
    "attention",
    f"Scaled dot-product attention of queries [t, d], keys [s, d] and values [s, v]. {MASK}",
    _lower_attention,
    (CAUSAL,),
    infer=_infer_attention,
    family="join",
    arity=(3, 4),
    equation="y = softmax(q kᵀ / sqrt(d)) v",
)


def _roles(types: Types) -> tuple[TensorType, TensorType, TensorType, Types]:
    """Return the types of query, value, key and mask: the value is the query, and the key the value, if not given."""
    query, value, key = types[0], (types[1:2] or types)[0], (types[2:3] or types[1:2] or types)[0]
    return query, value, key, types[3:]


def _infer_heads(types: Types, attrs: Attrs) -> TensorType:
    _check_sequences(types, "multi_head_attention")
    query, value, key, mask = _roles(types)
    _check_keys(key, value, mask)
    return query


def _params_heads(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    query, value, key, _ = _roles(types)
    heads, width = attrs["heads"], attrs["key_dim"]
    last, out = attrs["value_dim"] or width, query.example[-1]
    shapes = {
        "q": (query.example[-1], heads, width),
        "k": (key.example[-1], heads, width),
        "v": (value.example[-1], heads, last),
        "o": (heads, last, out),
    }
    specs: list[ParamSpec] = []
    for name, shape in shapes.items():
        specs.append(ParamSpec(f"W{name}", shape, attrs["init"]))
        if attrs["bias"]:
            bias = shape[1:] if name != "o" else shape[2:]
            specs.append(ParamSpec(f"b{name}", bias, attrs["bias_init"], is_weight=False))
    return tuple(specs)


def _lower_heads(b: Builder, low: Lowering) -> Value:
    def project(x: Value, name: str, equation: str, *, last: bool = False) -> Value:
        weights = [low.params[f"{part}{name}"] for part in ("W", "b") if f"{part}{name}" in low.params]
        return b.emit("einsum", x, *weights, equation=equation, name="" if last else name)

    query = low.ins[0]
    value = low.ins[1] if len(low.ins) > 1 else query
    key = low.ins[2] if len(low.ins) > 2 else value
    q, k = project(query, "q", "bqd,dhk->bqhk"), project(key, "k", "bsd,dhk->bshk")
    scores = b.emit("einsum", q, k, equation="bqhk,bshk->bhqs", root=low.attrs["key_dim"], name="scores")
    weights = _weights(b, scores, low.ins[3:], low.attrs["causal"])
    v = project(value, "v", "bsd,dhv->bshv")
    read = b.emit("einsum", weights, v, equation="bhqs,bshv->bqhv", name="read")
    return project(read, "o", "bqhv,hvd->bqd", last=True)


MULTI_HEAD_ATTENTION = Layer(
    "multi_head_attention",
    "Attention of a sequence to itself, or of the first operand to further ones, in Keras's order query, value, key"
    f" (the key is the value if not given). {MASK}",
    _lower_heads,
    (
        Arg("heads", POSITIVE_INT, doc="how many attentions run side by side"),
        Arg("key_dim", POSITIVE_INT, doc="features of each head's queries and keys"),
        Arg("value_dim", POSITIVE_INT, 0, "features of each head's values; 0: as key_dim"),
        Arg("bias", BOOL, True, "whether the four projections add a bias"),
        CAUSAL,
        Arg("init", INIT, INHERIT, "initialiser of the weights; `train { init }`, else xavier"),
        Arg("bias_init", INIT, INHERIT, "initialiser of the biases; `train { bias_init }`, else zeros"),
    ),
    infer=_infer_heads,
    params=_params_heads,
    arity=(1, 4),
    equation="head h: softmax(q_h k_hᵀ / sqrt(key_dim)) v_h with q_h = x Wq_h + bq_h, …;  y = sum head_h Wo_h + bo",
)
