"""The syntax tree as text, for `dotnn dump --stage ast`."""

from __future__ import annotations

from dataclasses import fields

from dotnn.syntax import nodes


def show_tree(node: object, depth: int = 0, label: str = "") -> str:
    """Return the tree, one node a line, children indented; spans are left out."""
    if isinstance(node, tuple):
        return "".join(show_tree(item, depth, label) for item in node)
    if not isinstance(node, nodes.Node):
        return ""
    line = "  " * depth + (f"{label}: " if label else "") + f"{type(node).__name__}{_leaves(node)}\n"
    return line + "".join(show_tree(value, depth + 1, name) for name, value in _fields(node) if _is_inner(value))


def _leaves(node: nodes.Node) -> str:
    shown = [f"{name}={value!r}" for name, value in _fields(node) if value is not None and not _is_inner(value)]
    return f"({', '.join(shown)})" if shown else ""


def _fields(node: nodes.Node) -> list[tuple[str, object]]:
    return [(f.name, getattr(node, f.name)) for f in fields(node) if f.name != "span"]


def _is_inner(value: object) -> bool:
    return isinstance(value, nodes.Node | tuple)
