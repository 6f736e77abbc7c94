"""Lines of Python no longer than the page: a statement that is too long is broken inside its brackets."""

from __future__ import annotations

import ast
import itertools
import textwrap
from collections.abc import Sequence

from dotnn.codegen.brackets import items_of, to_open
from dotnn.codegen.layout import in_a_bracket, laid_out

WIDTH = 110
INDENT = 4
LONG_VALUE = 40
"""With less room than this for the value, targets are broken over lines themselves."""
KEPT = "\0"
"""Stands for a blank where no line may end."""
SHORT_HEAD = 18
"""Behind a head no longer than this, a dict begins on the same line."""


def wrapped(code: str, indent: int = 0, width: int = WIDTH) -> list[str]:
    """Return a statement of one line as lines no longer than `width`, as far as its names allow."""
    line = " " * indent + code
    if len(line) <= width:
        return [line]
    made = _as_a_person(code, indent, width)
    return made if max(map(len, made)) <= width else laid_out(code, indent, width)


def _as_a_person(code: str, indent: int, width: int) -> list[str]:
    """Return a statement over several lines, broken where a person would; long names leave no room for that."""
    line = " " * indent + code
    if code.startswith("for ") and code.endswith(":"):
        return _head_of_a_loop(code, indent, width)
    if code.startswith("def ") and code.endswith("):"):
        name, _, arguments = code[:-2].partition("(")
        return [f"{' ' * indent}{name}(", *filled(items_of(arguments), indent + INDENT, width), f"{' ' * indent}):"]
    start, node = _value(code)
    if node is None:
        return [line]
    names, equals, _ = code[:start].rpartition(" = ")
    targets = items_of(names)  # that of `a[:, t] = …` is one
    opened = code.find("(", start) + 1 if isinstance(node, ast.Call) else start + LONG_VALUE
    if equals and indent + opened > width and len(targets) > 1:
        value = (
            _broken(") = ", code[start:], indent, width) if len(code) - start > width - 8 else [f") = {code[start:]}"]
        )
        value[0] = " " * indent + value[0].lstrip()
        return [" " * indent + "(", *filled(targets, indent + INDENT, width), *value]
    return _broken(code[:start], code[start:], indent, width)


def _head_of_a_loop(code: str, indent: int, width: int) -> list[str]:
    """Return `for a, b in zip(…):` over several lines: broken in its targets, and where that is too little, behind."""
    (loop,) = ast.parse(f"{code} pass").body
    assert isinstance(loop, ast.For)
    if not isinstance(loop.target, ast.Tuple):
        return [" " * indent + code]
    target = _segment(code, loop.target)
    if loop.target.elts[0].col_offset == loop.target.col_offset:
        target = f"({target})"
    around, opened, inside = f" in {_segment(code, loop.iter)}:".partition("(")

    def broken(end: str) -> list[str]:
        text = f"for {target}{around.replace(' ', KEPT)}{opened}{end}"
        further = " " * (indent + 2 * INDENT)
        return textwrap.wrap(
            text, width, initial_indent=" " * indent, subsequent_indent=further, break_long_words=False
        )

    lines = broken(inside.replace(" ", KEPT))
    lines = lines if max(map(len, lines)) <= width else broken(inside)
    return [line.replace(KEPT, " ") for line in lines]


def dict_lines(head: str, groups: Sequence[Sequence[str]], indent: int = 0, width: int = WIDTH) -> list[str]:
    """Return `head {…}` over several lines; every group of entries begins a new one."""
    hugged = len(head) <= SHORT_HEAD and indent <= INDENT
    column = indent + (len(head) + 1 if hugged else INDENT)
    lines = [line for group in groups for line in filled(group, column, width - 1)]
    if not hugged:
        return [f"{' ' * indent}{head}{{", *lines, f"{' ' * indent}}}"]
    lines[0] = f"{' ' * indent}{head}{{{lines[0].lstrip()}"
    return [*lines[:-1], lines[-1].rstrip(",") + "}"]


def _value(code: str) -> tuple[int, ast.expr | None]:
    """Return where the value of an assignment or a return begins, and its tree."""
    head = code.rstrip(":") if code.endswith(":") else code
    try:
        (statement,) = ast.parse(head).body
    except (SyntaxError, ValueError):
        return 0, None
    node = getattr(statement, "value", None)
    return (_offset(code, node), node) if node is not None else (0, None)


def _offset(code: str, node: ast.expr) -> int:
    """Return the character at which a node of a single line begins, brackets around it included."""
    start = _character(code, node.col_offset)
    while start and code[start - 1] == "(" and code[:start].rstrip("(").endswith(("= ", "return ")):
        start -= 1
    return start


def _broken(head: str, value: str, indent: int, width: int) -> list[str]:
    """Return `head value` over several lines: in the first way that the kind of the value allows."""
    node = ast.parse(value, mode="eval").body
    for way in (_behind_or, _put_in_brackets, _hugged, _opened, _at_for, _at_operators, _in_brackets_of_its_own):
        lines = way(head, value, node, indent, width)
        if lines:
            return lines
    return _inside(head, value, node, indent, width)


def _behind_or(head: str, value: str, node: ast.expr, indent: int, width: int) -> list[str]:
    """Break `a or {…}` as the dict."""
    if not (isinstance(node, ast.BoolOp) and isinstance(node.values[-1], ast.Dict)):
        return []
    last = _segment(value, node.values[-1])
    return _broken(head + value.removesuffix(last), last, indent, width)


def _put_in_brackets(head: str, value: str, node: ast.expr, indent: int, width: int) -> list[str]:
    """Break a tuple without brackets."""
    if not isinstance(node, ast.Tuple) or value[0] == "(":
        return []
    items = [_segment(value, e) for e in node.elts]
    return [" " * indent + head + "(", *filled(items, indent + INDENT, width), " " * indent + ")"]


def _hugged(head: str, value: str, node: ast.expr, indent: int, width: int) -> list[str]:
    """Break a dict whose entries begin behind its bracket."""
    if not isinstance(node, ast.Dict) or len(head) > SHORT_HEAD or indent > INDENT:
        return []
    made = dict_lines(head, [_bracket(value, node)[1]], indent, width)
    return made if all(len(line) <= width for line in made) else []


def _opened(head: str, value: str, node: ast.expr, indent: int, width: int) -> list[str]:
    """Break a value in its last bracket, with the entries on lines of their own."""
    if not isinstance(node, ast.Dict | ast.List | ast.Tuple | ast.Call) or value[-1] not in ")}]":
        return []
    inner, around = _innermost(node)
    opening, items, closing = _bracket(value, inner)
    opening, closing = "".join(f"{name}(" for name in around) + opening, closing + ")" * len(around)
    if not items or len(" " * indent + head + opening) > width:
        return []
    body = _within(inner, items, indent + INDENT, width)
    if isinstance(node, ast.Call) and body and len(body[-1]) + len(closing) <= width:
        return [" " * indent + head + opening, *body[:-1], body[-1].rstrip(",") + closing]
    return [" " * indent + head + opening, *body, " " * indent + closing]


def _within(node: ast.expr, items: Sequence[str], indent: int, width: int) -> list[str]:
    """Return the items of a bracket; a sum that is alone there needs no bracket of its own."""
    alone = isinstance(node, ast.Call) and len(items) == 1 and isinstance((*node.args, None)[0], ast.BinOp)
    if alone and indent + len(items[0]) >= width:
        return _content(items[0], indent, width)
    return filled(items, indent, width)


def _innermost(node: ast.expr) -> tuple[ast.expr, list[str]]:
    """Return the last of calls that have another call as their only argument, and the names of those around it."""
    around: list[str] = []
    while isinstance(node, ast.Call) and not node.keywords and [type(a) for a in node.args] == [ast.Call]:
        around.append(ast.unparse(node.func))
        (node,) = node.args
    return node, around


def _at_for(head: str, value: str, node: ast.expr, indent: int, width: int) -> list[str]:
    """Break a comprehension before its `for`."""
    if not isinstance(node, ast.DictComp | ast.ListComp | ast.SetComp):
        return []
    parts = (" " * (indent + INDENT) + part for part in _comprehension(value, node))
    return [" " * indent + head + value[0], *parts, " " * indent + value[-1]]


def _at_operators(head: str, value: str, node: ast.expr, indent: int, width: int) -> list[str]:
    """Break a sum, a product or a choice before its operators."""
    parts = _operands(value, node)
    if len(parts) < 2:
        return []
    return [" " * indent + head + "(", *_joined(parts, indent + INDENT, width), " " * indent + ")"]


def _in_brackets_of_its_own(head: str, value: str, node: ast.expr, indent: int, width: int) -> list[str]:
    """Put a value that fits on a line of its own there."""
    if len(head) <= 2 or len(" " * (indent + INDENT) + value) > width:
        return []
    return [" " * indent + head + "(", " " * (indent + INDENT) + value, " " * indent + ")"]


def _inside(head: str, value: str, node: ast.expr, indent: int, width: int) -> list[str]:
    """Return a value whose longest bracket is opened: `(a + …).sum(axis=0)`."""
    for start, stop in to_open(value):
        inner = value[start:stop]
        first = " " * indent + head + value[:start]
        if len(first) > width or len(" " * indent + value[stop:]) > width:
            continue
        return [first, *_content(inner, indent + INDENT, width), " " * indent + value[stop:]]
    parts = _operands(value, node) if isinstance(node, ast.BinOp) else _compared(value, node)
    if isinstance(node, ast.IfExp) and value.startswith("("):
        return _at_operators(head, value[1:-1], node, indent, width)
    if len(parts) < 2 or len(" " * indent + head) >= width:
        return [" " * indent + head + value]
    return [" " * indent + head + "(", *_joined(parts, indent + INDENT, width), " " * indent + ")"]


def _compared(value: str, node: ast.expr) -> list[str]:
    """Return the two sides of a comparison, the second behind its sign."""
    if not isinstance(node, ast.Compare) or len(node.ops) > 1:
        return [value]
    cut = _after(value, node.left)
    return [value[:cut].strip(), value[cut:].strip()]


def _content(inner: str, indent: int, width: int) -> list[str]:
    """Return what stands in round brackets: the arguments of a call, or one expression."""
    call = ast.parse(f"f({inner})", mode="eval").body
    assert isinstance(call, ast.Call)
    if len(call.args) == 1 and isinstance(call.args[0], ast.GeneratorExp):
        return [" " * indent + part for part in _comprehension(f"({inner})", call.args[0], offset=-1)]
    if call.keywords or len(call.args) > 1:
        return filled(_bracket(f"f({inner})", call)[1], indent, width)
    node = ast.parse(inner, mode="eval").body
    parts = _operands(inner, node)
    return _joined(parts, indent, width) if len(inner) + indent > width else [" " * indent + inner]


def _comprehension(
    value: str, node: ast.DictComp | ast.ListComp | ast.SetComp | ast.GeneratorExp, offset: int = 0
) -> tuple[str, str]:
    """Return what stands in front of the `for` of a comprehension in brackets, and the rest of it."""
    last = node.value if isinstance(node, ast.DictComp) else node.elt
    cut = _character(value, (last.end_col_offset or 0) + offset)
    while value[cut] in ") ":
        cut += 1
    return value[1:cut].strip(), value[cut:-1].strip()


def _bracket(value: str, node: ast.expr) -> tuple[str, list[str], str]:
    """Return what opens the last bracket of a value, what stands in it, and what closes it."""
    if isinstance(node, ast.Dict):
        return "{", [_entry(value, k, v) for k, v in zip(node.keys, node.values, strict=True)], "}"
    if isinstance(node, ast.List | ast.Tuple):
        return value[0], [_segment(value, e) for e in node.elts], value[-1]
    assert isinstance(node, ast.Call)
    pieces: Sequence[ast.AST] = [*node.args, *node.keywords]
    if not pieces or (len(pieces) == 1 and isinstance(pieces[0], ast.GeneratorExp)):
        return "", [], ""
    return f"{_segment(value, node.func)}(", [_segment(value, piece) for piece in pieces], ")"


def _entry(text: str, key: ast.expr | None, value: ast.expr) -> str:
    """Return an entry of a dict as it stands in a line."""
    return f"{_segment(text, key)}: {_segment(text, value)}" if key else f"**{_segment(text, value)}"


def filled(items: Sequence[str], indent: int, width: int = WIDTH) -> list[str]:
    """Return items with commas behind them, as many on a line as there is room for."""
    lines: list[str] = []
    current = ""
    for item in items:
        joined = f"{current} {item}," if current else f"{item},"
        if len(joined) + indent > width and current:
            lines.append(" " * indent + current)
            joined = f"{item},"
        current = joined
        if len(current) + indent > width:
            *whole, last = _item(item, indent, width)
            lines += [*whole, f"{last},"]
            current = ""
    return [*lines, " " * indent + current] if current else lines


def _segment(text: str, node: ast.AST) -> str:
    """Return the piece of a line that a node stands for; `ast.get_source_segment` would look for lines each time."""
    start, end = node.col_offset, node.end_col_offset or 0  # type: ignore[attr-defined]
    return text[_character(text, start) : _character(text, end)]


def _character(text: str, byte: int) -> int:
    """Return the place of a character from the offset of a syntax tree, which counts the bytes of UTF-8."""
    return byte if text.isascii() else len(text.encode()[:byte].decode())


def _item(item: str, indent: int, width: int) -> list[str]:
    """Return an item that is too long for a line, broken inside."""
    made = _item_as_a_person(item, indent, width)
    fits = max(map(len, [*made, f"{made[-1]},"])) <= width
    return made if fits else in_a_bracket(item, indent, width - 1)


def _item_as_a_person(item: str, indent: int, width: int) -> list[str]:
    for separator in ("=", ": ", ""):
        head, found, rest = item.partition(separator) if separator else ("", "", item)
        try:
            ast.parse(rest, mode="eval")
        except SyntaxError:
            continue
        if not found or head.strip('"').replace(".", "").isidentifier():
            return _broken(head + found, rest, indent, width)
    return [" " * indent + item]


LOOSE = (ast.Add, ast.Sub)
OPERATORS = "+-*/@&|<>=! "
"""What the lines of a broken sum, product or condition begin with."""
CLAUSES = ("if ", "else ")
"""What the lines of a broken choice begin with; a test that is broken itself begins a line without its `else`."""


def _operands(value: str, node: ast.expr) -> list[str]:
    """Return a sum, a product or a choice as its parts, each with the operator before it."""
    if isinstance(node, ast.IfExp):
        test, other = (_segment(value, n) for n in (node.test, node.orelse))
        return [_segment(value, node.body), f"if {test} else {other}"]
    if not isinstance(node, ast.BinOp):
        return [value]
    loose = isinstance(node.op, LOOSE)
    cuts: list[int] = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp) and isinstance(left.op, LOOSE) is loose and not _in_brackets(value, left, node):
        cuts.append(_operator(value, left))
        left = left.left
    bounds = [0, *reversed(cuts), len(value)]
    return [value[a:b].strip() for a, b in itertools.pairwise(bounds)]


def _in_brackets(value: str, inner: ast.expr, outer: ast.expr) -> bool:
    if inner is outer:
        return False
    end = _character(value, inner.end_col_offset or 0)
    return value[: end + 1].endswith(")") and value[:end].count("(") > value[:end].count(")")


def _operator(value: str, node: ast.BinOp) -> int:
    """Return where the operator between two operands stands."""
    return _after(value, node.left)


def _after(value: str, left: ast.expr) -> int:
    """Return where what follows an operand and its brackets begins."""
    start = _character(value, left.end_col_offset or 0)
    while value[start] in ") ":
        start += 1
    return start


def _joined(parts: Sequence[str], indent: int, width: int) -> list[str]:
    lines: list[str] = []
    current = ""
    for part in parts:
        joined = f"{current} {part}" if current else part
        if len(joined) + indent > width and current:
            lines.append(current)
            joined = part
        current = joined
    lines.append(current)
    return [out for line in lines for out in _part(line, indent, width)]


def _clause(head: str, value: str, indent: int, width: int) -> list[str]:
    """Return one side of a choice behind its word, broken inside where it does not fit."""
    if len(head) + len(value) + indent <= width:
        return [" " * indent + head + value]
    node = ast.parse(value, mode="eval").body
    first, *rest = _operands(value, node)
    return _joined([head + first, *rest], indent, width) if rest else _inside(head, value, node, indent, width)


def _part(line: str, indent: int, width: int) -> list[str]:
    if len(line) + indent <= width:
        return [" " * indent + line]
    word = next((word for word in CLAUSES if line.startswith(word)), "")
    choice = _expression(f"0 {line}") if word else None
    if isinstance(choice, ast.IfExp):
        test, other = (_segment(f"0 {line}", n) for n in (choice.test, choice.orelse))
        return [*_clause("if ", test, indent, width), *_clause("else ", other, indent, width)]
    operator = word or line[: len(line) - len(line.lstrip(OPERATORS))]
    rest = line[len(operator) :]
    node = _expression(rest)
    return _inside(operator, rest, node, indent, width) if node is not None else [" " * indent + line]


def _expression(code: str) -> ast.expr | None:
    """Return the tree of an expression, None of what is only a part of one."""
    try:
        return ast.parse(code, mode="eval").body
    except SyntaxError:
        return None
