"""The syntax tree as text, for `dotnn dump --stage ast`."""

from __future__ import annotations

from dataclasses import fields

from dotnn.syntax import nodes


def show_tree(node: object, depth: int = 0, label: str = "") -> str:
    """Return the tree, one node a line, children indented; spans are left out."""
    pad = "  " * depth + (f"{label}: " if label else "")
    if isinstance(node, tuple):
        return "".join(show_tree(item, depth, label) for item in node)
    if not isinstance(node, nodes.Node):
        return ""
    plain = {f.name: getattr(node, f.name) for f in fields(node) if f.name != "span"}
    leaves = {k: v for k, v in plain.items() if not isinstance(v, (nodes.Node, tuple)) and v is not None}
    text = ", ".join(f"{k}={v!r}" for k, v in leaves.items())
    lines = f"{pad}{type(node).__name__}{f'({text})' if text else ''}\n"
    for name, value in plain.items():
        if isinstance(value, (nodes.Node, tuple)):
            lines += show_tree(value, depth + 1, name)
    return lines
