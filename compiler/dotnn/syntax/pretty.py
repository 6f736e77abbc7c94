"""The formatter: one look for all specs, every comment and every number as the user wrote it.

It moves the pieces of the text, cut at the statements that the parser found, so it cannot change their meaning; what a
single statement looks like is the business of `layout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dotnn.core.diagnostics import Source
from dotnn.syntax import nodes
from dotnn.syntax.layout import INDENT, WIDTH, Layout, Line
from dotnn.syntax.parse import parse
from dotnn.syntax.scan import Piece, scan

_ROLE_WIDTH = len("target")
_MAX_ALIGNED = 80  # a comment after a longer line does not push its neighbours


def format_source(source: Source) -> str:
    """Return the spec in its standard form, or raise `CompileError` if it cannot be read."""
    file = parse(source)
    pieces = list(scan(source.text))
    _, items = _items(source.text, pieces, file.sections, None)
    lines: list[Line] = []
    for item in items:
        lines += [Line("")] * item.blank_before
        lines += _section(source.text, item) if isinstance(item.node, nodes.Section) else _comment(item, 0)
    result = "".join(text + "\n" for text in _with_comments(lines))
    assert [_plain(p) for p in scan(result)] == [_plain(p) for p in pieces], "the formatter changed the text"
    return result


@dataclass
class _Item:
    """A section, a statement, or (without a node) a comment in lines of its own."""

    node: nodes.Section | nodes.Stmt | None
    pieces: list[Piece]
    blank_before: bool
    comment: str = ""  # after its last line


def _items(
    text: str, pieces: Sequence[Piece], parts: Sequence[nodes.Section | nodes.Stmt], opener: Piece | None
) -> tuple[str, list[_Item]]:
    """Cut pieces into the given parts and the comments around them; also return the comment after the opener."""
    opening, items = "", list[_Item]()
    previous, rest, index = opener, iter(parts), 0
    while index < len(pieces):
        first = pieces[index]
        line_ends = text.count("\n", previous.end, first.start) if previous else 1
        blank_before = line_ends > 1 and bool(items)
        end = index + 1
        if first.kind != "comment":
            node = next(rest)
            end = _end_of(node, pieces, index)
            items.append(_Item(node, list(pieces[index:end]), blank_before))
        elif line_ends > 0:
            items.append(_Item(None, [first], blank_before))
        elif items:
            items[-1].comment = first.text.rstrip()
        else:
            opening = first.text.rstrip()
        previous, index = pieces[end - 1], end
    return opening, items


def _end_of(node: nodes.Section | nodes.Stmt, pieces: Sequence[Piece], index: int) -> int:
    """Return the index after the last piece of a node whose first piece has this index."""
    end = index + 1
    while end < len(pieces) and pieces[end].start < node.span.end:
        end += 1
    return end


# ---------------------------------------------------------------------------------------------------- sections


def _section(text: str, item: _Item) -> list[Line]:
    section = item.node
    assert isinstance(section, nodes.Section)
    if isinstance(section, nodes.Use) or (
        isinstance(section, nodes.Definition) and not isinstance(section, nodes.Procedure)
    ):
        lines = Layout(text, item.pieces, 0).lines()
        lines[-1].comment = item.comment or lines[-1].comment
        return lines
    brace = next(i for i, piece in enumerate(item.pieces) if piece.text == "{")
    head, body = item.pieces[: brace + 1], item.pieces[brace + 1 : -1]
    opening, items = _items(text, body, section.statements, item.pieces[brace])
    lines = Layout(text, head, 0).lines()
    if not opening and (not items or "\n" not in text[section.span.start : section.span.end]):
        short = _short(text, lines, items)
        if short:
            return [*lines[:-1], Line(short, item.comment)]
    lines[-1].comment = opening
    return [*lines, *_body(text, items), Line("}", item.comment)]


def _short(text: str, head: list[Line], items: list[_Item]) -> str:
    """Return a section in one line, "" if it does not fit."""
    if not items:
        return head[-1].text + "}"
    statements = "  ".join(line.text for item in items for line in Layout(text, item.pieces, 0).lines())
    line = f"{head[-1].text} {statements} }}"
    return line if len(line) <= WIDTH else ""


def _body(text: str, items: list[_Item]) -> list[Line]:
    lines: list[Line] = []
    for item, column in zip(items, _equals_columns(text, items), strict=True):
        lines += [Line("")] * item.blank_before
        lines += _statement(text, item, column) if item.node else _comment(item, INDENT)
    return lines


# -------------------------------------------------------------------------------------------------- statements


def _statement(text: str, item: _Item, column: int) -> list[Line]:
    role = item.pieces[0].text
    if isinstance(item.node, nodes.TensorDecl):
        padded, pad = 0, _ROLE_WIDTH - len(role)
    else:
        padded = _equals_at(item) - 1
        pad = column - len(_left_side(text, item))
    lines = Layout(text, item.pieces, INDENT, padded, max(pad, 0)).lines()
    if item.comment:
        lines[-1].comment = item.comment
    return lines


def _comment(item: _Item, indent: int) -> list[Line]:
    return [Line(" " * indent + item.pieces[0].text.rstrip())]


def _equals_at(item: _Item) -> int:
    """Return the index of the `=` of a statement, 0 if it has none or a comment comes before it."""
    match item.node:
        case nodes.Assign():
            index = 1
        case nodes.LayerDef() | nodes.Slot() | nodes.Next() | nodes.Output(name=nodes.Name()):
            index = 2
        case nodes.ArrayDecl(start=nodes.Expr()):
            index = next(i for i, piece in enumerate(item.pieces) if piece.text == "=" or piece.kind == "comment")
        case _:
            return 0
    return index if item.pieces[index].text == "=" else 0


def _left_side(text: str, item: _Item) -> str:
    return "".join(line.text for line in Layout(text, item.pieces[: _equals_at(item)], 0).lines())


def _equals_columns(text: str, items: list[_Item]) -> list[int]:
    """Return how wide the left side of each item becomes: that of its kind in its group; a blank line ends a group."""
    columns: list[int] = []
    start = 0
    for index, item in enumerate([*items, None]):
        if item is None or item.blank_before:
            widest: dict[type, int] = {}
            for member in items[start:index]:
                widest[type(member.node)] = max(widest.get(type(member.node), 0), len(_left_side(text, member)))
            columns += [widest[type(member.node)] for member in items[start:index]]
            start = index
    return columns


# ---------------------------------------------------------------------------------------------------- comments


def _with_comments(lines: list[Line]) -> list[str]:
    """Set the comments after their lines, those of neighbouring lines in one column."""
    texts: list[str] = []
    start = 0
    while start < len(lines):
        stop = start + 1
        while stop < len(lines) and _is_aligned(lines[stop]) and _is_aligned(lines[start]):
            stop += 1
        column = max(len(line.text) for line in lines[start:stop])
        texts += [f"{line.text:<{column}}  {line.comment}" if line.comment else line.text for line in lines[start:stop]]
        start = stop
    return texts


def _is_aligned(line: Line) -> bool:
    return bool(line.comment) and len(line.text) <= _MAX_ALIGNED


def _plain(piece: Piece) -> str:
    return piece.text.rstrip() if piece.kind == "comment" else piece.text
