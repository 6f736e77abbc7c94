"""Which positions read from which: the weights of attention for one example."""

from __future__ import annotations

import numpy as np

from dotnn.ir.node import Node
from dotnn.reports.drawing.marks import draw_shades
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import Seen
from dotnn_runtime.pictures.draw import box, group, path, text
from dotnn_runtime.pictures.style import SHADES, STYLE
from dotnn_runtime.pictures.svg import frame, text_of

SIDE, GAP, TOP, ACROSS, MOST = 150.0, 20.0, 44.0, 4, 16


def draw(seen: Seen) -> str:
    """Return a map for each head: a row for every position that reads, a column for every one that is read."""
    nodes = [node for node in seen.graph.phase("forward") if _is_attention(seen, node)]
    maps = [(node.layer, h, m) for node in nodes for h, m in enumerate(_heads(seen, node))][:MOST]
    if not maps:
        return ""
    rows = (len(maps) + ACROSS - 1) // ACROSS
    title = f"{seen.model.name}: which positions read from which, in example 1"
    described = "; ".join(f"{layer}, head {h}: most from position {m.mean(axis=0).argmax()}" for layer, h, m in maps)
    width, height = 32 + ACROSS * (SIDE + GAP), TOP + rows * (SIDE + GAP + 24) + 14
    root = frame(f"{width:.0f}", f"{height:.0f}", title=title, description=described, style=STYLE)
    text(root, 16, 24, title, "title")
    for number, (layer, head, weights) in enumerate(maps):
        left, top = 16 + (SIDE + GAP) * (number % ACROSS), TOP + (SIDE + GAP + 24) * (number // ACROSS)
        of = group(root, f"{layer}, head {head}")
        text(of, left, top + 12, f"{layer}, head {head}", "small")
        shades = np.ceil(weights / weights.max() * SHADES).astype(int)
        draw_shades(of, left, top + 20, (SIDE, SIDE), shades, np.zeros(weights.shape, int))
        path(of, box(left, top + 20, SIDE, SIDE), "frame")
    return text_of(root)


def _is_attention(seen: Seen, node: Node) -> bool:
    """Whether a node is a softmax over the keys of each query: it is no layer of its own."""
    own = {v.id for v in seen.graph.steps.values()}
    return node.op == "softmax" and node.loop is None and node.out.id not in own and len(node.out.type.example) >= 2


def _heads(seen: Seen, node: Node) -> np.ndarray:
    """Return the weights of each head for the first example, (heads, queries, keys)."""
    weights = seen.trained.values[node.out.id][0]
    return np.asarray(weights.reshape(-1, *weights.shape[-2:]))


ATTENTION = Picture(
    "attention", "which positions read from which, for one example", "attention", "Attention of one example", draw
)
