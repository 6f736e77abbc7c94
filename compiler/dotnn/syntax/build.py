"""From Lark's reductions to nodes, bottom-up: one method per rule of the grammar, no recursion anywhere.

Every token is kept (`keep_all_tokens`), so the children of a rule are what the grammar line says, in order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lark import Token, Transformer

from dotnn.core import limits
from dotnn.core.diagnostics import Span
from dotnn.syntax import nodes
from dotnn.syntax.walk import statement_expressions

Children = list[Any]

_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
_PIECE_OF_NUMBERS = re.compile(r"[\[\]]|(-)?([0-9][0-9.]*(?:[eE][+-]?[0-9]+)?)")


class NumberTooLarge(Exception):
    """A number that neither a 64-bit integer nor a double can hold."""

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self.span = span


class TreeBuilder(Transformer[Token, nodes.File]):
    """Lark calls a method with the children of its rule as soon as the rule is reduced."""

    # ------------------------------------------------------------------------------------------------ sections

    def file(self, sections: Children) -> nodes.File:
        """`section …`."""
        return nodes.File(_cover(sections), tuple(sections))

    def section(self, children: Children) -> nodes.Section:
        """`keyword { … }`, or `train name { … }`."""
        keyword, first, *statements, _ = children
        if first == "{":
            return nodes.Section(_cover(children), str(keyword), tuple(statements))
        return nodes.TurnSection(_cover(children), str(keyword), tuple(statements[1:]), _name(first))

    def model(self, children: Children) -> nodes.ModelSection:
        """`model Name { … }`."""
        keyword, name, _, *statements, _ = children
        return nodes.ModelSection(_cover(children), str(keyword), tuple(statements), _name(name))

    def block(self, children: Children) -> nodes.BlockSection:
        """`block Name(params)? { … }`."""
        return nodes.BlockSection(*_parts_of_block(children))

    def cell(self, children: Children) -> nodes.CellSection:
        """`cell Name(params)? { … }`."""
        return nodes.CellSection(*_parts_of_block(children))

    def block_params(self, children: Children) -> tuple[nodes.BlockParam, ...]:
        """`( param, … )`."""
        return tuple(_without_tokens(children))

    def block_param(self, children: Children) -> nodes.BlockParam:
        """`name`, `name = default` or `name = default in limits`."""
        default, limits = (children[i] if len(children) > i else None for i in (2, 4))
        return nodes.BlockParam(_cover(children), _name(children[0]), default, limits)

    def define_params(self, children: Children) -> tuple[nodes.BlockParam, ...]:
        """`( param, … )` of a definition."""
        return self.block_params(children)

    def define_param(self, children: Children) -> nodes.BlockParam:
        """`name`, `name: kind`, `name = default` or `name = default in limits`."""
        name, *rest = children
        kind = _name(rest[1]) if rest and rest[0] == ":" else None
        return replace(self.block_param([name, *rest[2 * (kind is not None) :]]), span=_cover(children), kind=kind)

    def define(self, children: Children) -> nodes.Definition:
        """`activation name(params) = value`, or another word in the place of the first."""
        keyword, name, params, _, value = children
        return nodes.Definition(_cover(children), str(keyword), (), _name(name), params, value)

    def optimizer(self, children: Children) -> nodes.Procedure:
        """`optimizer name(params)? { … }`."""
        keyword, name, *rest, _ = children
        params = rest.pop(0) if isinstance(rest[0], tuple) else ()
        statements, span = tuple(rest[1:]), _cover(children)
        computed = tuple(expr for statement in statements for expr in statement_expressions(statement))
        return nodes.Procedure(span, str(keyword), statements, _name(name), params, nodes.List(span, computed))

    def use(self, children: Children) -> nodes.Use:
        """`use "file"` or `use name.name`."""
        keyword, *parts = children
        named = nodes.Name(_cover(parts), "".join(map(str, parts)))
        what = parts[0] if isinstance(parts[0], nodes.String) else named
        return nodes.Use(_cover(children), str(keyword), (), what)

    # ---------------------------------------------------------------------------------------------- statements

    def assign(self, children: Children) -> nodes.Assign:
        """`name = value` or `name = value in limits`."""
        limited = children[4] if len(children) == 5 else None
        return nodes.Assign(_cover(children), _name(children[0]), children[2], limited)

    def tensor(self, children: Children) -> nodes.TensorDecl:
        """`input name: kind? [dims]`, or `input name: kind`."""
        role, name, _, *rest = children
        dims = rest.pop() if isinstance(rest[-1], nodes.List) else None
        kind = _name(rest[0]) if rest else None
        items, sized = (dims.items, True) if dims else ((), False)
        return nodes.TensorDecl(_cover(children), str(role), _name(name), kind, items, sized)

    def layer(self, children: Children) -> nodes.LayerDef:
        """`layer name = value`."""
        return nodes.LayerDef(_cover(children), _name(children[1]), children[3])

    def output(self, children: Children) -> nodes.Output:
        """`output value` or `output name = value`."""
        name = _name(children[1]) if len(children) == 4 else None
        return nodes.Output(_cover(children), name, children[-1])

    def array(self, children: Children) -> nodes.ArrayDecl:
        """`param name: [dims]`, with `= start` and `as kind` where they are given."""
        role, name, _, dims, *rest = children
        kind = _name(rest[-1]) if len(rest) in (2, 4) and rest[-2].type == "AS" else None
        start = rest[1] if rest and rest[0] == "=" else None
        return nodes.ArrayDecl(_cover(children), str(role), _name(name), dims.items, start, kind)

    def next(self, children: Children) -> nodes.Next:
        """`next name = value`."""
        return nodes.Next(_cover(children), _name(children[1]), children[3])

    def slot(self, children: Children) -> nodes.Slot:
        """`slot name = value`."""
        return nodes.Slot(_cover(children), _name(children[1]), children[3])

    # --------------------------------------------------------------------------------------------- expressions

    def pipe(self, children: Children) -> nodes.Pipe:
        """`head -> stage -> …`."""
        return nodes.Pipe(_cover(children), children[0], tuple(children[2::2]))

    def binary(self, children: Children) -> nodes.Binary:
        """`left op right`."""
        left, op, right = children
        return nodes.Binary(_cover(children), "^" if op == "**" else str(op), left, right)

    def range(self, children: Children) -> nodes.Range:
        """`low..high`."""
        return nodes.Range(_cover(children), children[0], children[2])

    def unary(self, children: Children) -> nodes.Unary:
        """`-operand` or `not operand`."""
        return nodes.Unary(_cover(children), str(children[0]), children[1])

    def group(self, children: Children) -> nodes.Expr:
        """`( value )`: no node of its own, but the value now reaches from bracket to bracket."""
        value: nodes.Expr = children[1]
        return replace(value, span=_cover(children))

    def call(self, children: Children) -> nodes.Call:
        """`name( arg, … )`."""
        return nodes.Call(_cover(children), children[0], tuple(_without_tokens(children[1:])))

    def arg(self, children: Children) -> nodes.Arg:
        """`value` or `name = value`."""
        name = _name(children[0]) if len(children) == 3 else None
        return nodes.Arg(_cover(children), name, children[-1])

    def list(self, children: Children) -> nodes.List:
        """`[ item, … ]`."""
        return nodes.List(_cover(children), tuple(_without_tokens(children)))

    def numbers(self, children: Children) -> nodes.List:
        """`[1, 2]` or `[[1], [2]]`: the same nodes as `list`, from one token."""
        start = _span(children[0]).start
        open_lists: list[tuple[int, list[nodes.Expr]]] = [(0, [])]
        for piece in _PIECE_OF_NUMBERS.finditer(children[0]):
            if piece[0] == "[":
                open_lists.append((start + piece.start(), []))
            elif piece[0] == "]":
                opened, items = open_lists.pop()
                open_lists[-1][1].append(nodes.List(Span(opened, start + piece.end()), tuple(items)))
            else:
                open_lists[-1][1].append(_signed(piece, start))
        (result,) = open_lists[0][1]
        assert isinstance(result, nodes.List)
        return result

    def index(self, children: Children) -> nodes.Index:
        """`value[ item, … ]`; of numbers alone, the brackets are one token."""
        value, *rest = children
        items = self.numbers(rest).items if len(rest) == 1 else tuple(_without_tokens(rest))
        return nodes.Index(_cover(children), value, items)

    def slice(self, children: Children) -> nodes.Slice:
        """`start? : stop?`."""
        colon = next(i for i, child in enumerate(children) if isinstance(child, Token))
        ends = [part[0] if part else None for part in (children[:colon], children[colon + 1 :])]
        return nodes.Slice(_cover(children), *ends)

    def attribute(self, children: Children) -> nodes.Attribute:
        """`value . name`."""
        return nodes.Attribute(_cover(children), children[0], _name(children[2]))

    def name(self, children: Children) -> nodes.Name:
        """`name`."""
        return _name(children[0])

    def number(self, children: Children) -> nodes.Number:
        """`3`, `0.5`, `80%`."""
        return _number(str(children[0]), _span(children[0]))

    def string(self, children: Children) -> nodes.String:
        """`"text"`."""
        text = _ESCAPE.sub(lambda match: _ESCAPED[match[1]], children[0][1:-1])
        return nodes.String(_span(children[0]), text)


def _span(part: Token | nodes.Node) -> Span:
    if isinstance(part, nodes.Node):
        return part.span
    assert part.start_pos is not None and part.end_pos is not None
    return Span(part.start_pos, part.end_pos)


def _cover(children: Children) -> Span:
    if not children:
        return Span(0, 0)
    return Span(_span(children[0]).start, _span(children[-1]).end)


def _parts_of_block(
    children: Children,
) -> tuple[Span, str, tuple[nodes.Stmt, ...], nodes.Name, tuple[nodes.BlockParam, ...]]:
    keyword, name, *rest, _ = children
    params = rest.pop(0) if isinstance(rest[0], tuple) else ()
    return _cover(children), str(keyword), tuple(rest[1:]), _name(name), params


def _without_tokens(children: Children) -> Iterator[Any]:
    return (child for child in children if not isinstance(child, Token))


def _name(token: Token) -> nodes.Name:
    return nodes.Name(_span(token), str(token))


def _signed(piece: re.Match[str], offset: int) -> nodes.Expr:
    """Read a number of a NUMBERS token; a minus is a `Unary`, as everywhere."""
    number = _number(piece[2], Span(offset + piece.start(2), offset + piece.end(2)))
    if piece[1]:
        return nodes.Unary(Span(offset + piece.start(), offset + piece.end()), "-", number)
    return number


def _number(text: str, span: Span) -> nodes.Number:
    if text.isdigit():
        # The length is asked first because Python refuses to read thousands of digits.
        if len(text) > len(str(limits.MAX_NUMBER)) or int(text) > limits.MAX_NUMBER:
            raise NumberTooLarge(span)
        return nodes.Number(span, int(text))
    percent = text.endswith("%")
    value = float(text.rstrip("%")) / (100 if percent else 1)
    if math.isinf(value):
        raise NumberTooLarge(span)
    return nodes.Number(span, value, percent)
