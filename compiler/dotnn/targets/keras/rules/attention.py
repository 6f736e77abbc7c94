"""Attention, and positions."""

from __future__ import annotations

from dotnn.library.layers.base import Attrs, ShapeError, Types
from dotnn.targets.keras.call import Keras, without
from dotnn.targets.keras.rules.base import LayerRule, plain


def _attention(kind: str, types: Types, attrs: Attrs) -> Keras:
    return Keras(kind, options={"causal": True} if attrs["causal"] else {})


def _heads(kind: str, types: Types, attrs: Attrs) -> Keras:
    _refuse_misread_bias(types, attrs)
    parts = {"q": "query_dense", "k": "key_dense", "v": "value_dense", "o": "output_dense"}
    given = "{0}, {0}" if len(types) == 1 else ", ".join(f"{{{i}}}" for i in range(min(len(types), 3)))
    if len(types) == 4:
        given += ", key_mask={3}" if types[3].dtype == "bool" else ", key_mask={3} > 0.5"
    return Keras(
        kind,
        (attrs["heads"], attrs["key_dim"]),
        {**({"value_dim": attrs["value_dim"]} if attrs["value_dim"] else {}), **without(use_bias=attrs["bias"])},
        operands=given + (", use_causal_mask=True" if attrs["causal"] else ""),
        variables={f"W{p}": f"{layer}.kernel" for p, layer in parts.items()}
        | {f"b{p}": f"{layer}.bias" for p, layer in parts.items()},
    )


def _refuse_misread_bias(types: Types, attrs: Attrs) -> None:
    """Raise `ShapeError` where Keras would add a bias of the heads to the positions.

    `keras.ops.add` on TensorFlow (3.x) takes a bias [heads, 1] for one of the second axis where that is as long.
    """
    thin = 1 in (attrs["key_dim"], attrs["value_dim"] or attrs["key_dim"])
    if attrs["bias"] and thin and 1 < attrs["heads"] in {t.example[0] for t in types[:3]}:
        message = f"Keras would add the biases of {attrs['heads']} heads to the {attrs['heads']} positions"
        raise ShapeError(message, "choose more features for each head, or bias = false")


ATTENTION = LayerRule("attention", ("Attention",), _attention, "as Attention, divided by sqrt(d)")
MULTI_HEAD_ATTENTION = LayerRule("multi_head_attention", ("keras.layers.MultiHeadAttention",), _heads)
POSITION_EMBEDDING = LayerRule(
    "position_embedding",
    ("PositionEmbedding",),
    lambda kind, types, attrs: Keras(kind, variables={"W": "embeddings"}),
    "as x + keras_hub.layers.PositionEmbedding(…)(x)",
)
POSITION_ENCODING = plain("position_encoding", "PositionEncoding")
