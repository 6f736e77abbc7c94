"""A smaller spec that fails alike: statements, stages, arguments, sections and sizes are taken out while it does.

Edits are made in the text, at the places that the syntax tree names; what does not compile any more fails otherwise and
is not taken.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import fields

from dotnn.core.diagnostics import CompileError, Source, Span
from dotnn.syntax import nodes
from dotnn.syntax.parse import parse
from dotnn.syntax.pretty import format_source
from dotnn.syntax.walk import section_expressions

Fails = Callable[[str], bool]
Edit = tuple[int, int, str]
NAMED = (nodes.BlockSection, nodes.CellSection, nodes.Definition)
"""Sections that are read by their names."""


def shrink(text: str, fails: Fails, seconds: float = 60) -> str:
    """Return the smallest spec that was found in so many seconds of CPU, for which `fails` still holds."""
    end = time.process_time() + seconds
    tried: set[str] = set()
    place = waited = 0
    edits = _edits_of(text)
    while edits and waited < len(edits) and time.process_time() < end:
        smaller = edits[place % len(edits)]
        place, waited = place + 1, waited + 1
        if smaller in tried:
            continue
        clean = swept(smaller)
        if clean not in tried and fails(clean):
            place, waited, text = place - 1, 0, clean  # what stood behind it is at its place now
            edits = _edits_of(text)
        tried |= {smaller, clean}
    return _formatted(text, fails)


def _formatted(text: str, fails: Fails) -> str:
    pretty = format_source(Source("", "\n".join(line for line in text.splitlines() if line.strip())))
    return pretty if fails(pretty) else text


def _edits_of(text: str) -> list[str]:
    """Return texts with something taken out: statements, then parts of expressions, then sizes."""
    file = _parsed(text)
    if file is None:
        return []
    found = [t for section in file.sections for s in reversed(section.statements) for t in _without(text, section, s)]
    edits = sorted(_edits(text, file), key=lambda edit: edit[0] - edit[1] + len(edit[2]))
    found += [text[:start] + new + text[stop:] for start, stop, new in edits]
    return [*found, *_fewer_axes(text, file), *_smaller_sizes(text)]


def _parsed(text: str) -> nodes.File | None:
    try:
        return parse(Source("", text))
    except CompileError:
        return None


def _cut(text: str, span: Span) -> str:
    return text[: span.start] + text[span.end :]


def _without(text: str, section: nodes.Section, statement: nodes.Stmt) -> Iterator[str]:
    """Yield the text without a statement; what it defines is replaced by something that it reads."""
    name = getattr(getattr(statement, "name", None), "id", None)
    left = _cut(text, statement.span)
    if section.keyword in ("train", "check", "data", "params") or name is None:
        yield left
        return
    value = getattr(statement, "value", None)
    for other in dict.fromkeys(_names(value)) if value is not None else ():
        if other != name:
            yield _renamed(left, section, statement, name, other)
    yield left


def _renamed(left: str, section: nodes.Section, statement: nodes.Stmt, name: str, other: str) -> str:
    """Replace a name in its own section, and in the train section that names outputs."""
    size = statement.span.end - statement.span.start
    start, stop = section.span.start, section.span.end - size
    parts = [left[:start], left[start:stop], left[stop:]]
    parts[1] = re.sub(rf"\b{name}\b", other, parts[1])
    if isinstance(section, nodes.ModelSection):
        parts[2] = re.sub(rf"\b{name}\b", other, parts[2])
    return "".join(parts)


def _names(node: nodes.Node) -> Iterator[str]:
    yield from (part.id for part in _all(node) if isinstance(part, nodes.Name))


def _children(node: nodes.Node) -> Iterator[nodes.Node]:
    for part in fields(node):
        value = getattr(node, part.name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, nodes.Node):
                yield item


def _edits(text: str, node: nodes.Node) -> Iterator[Edit]:
    """Yield replacements of expressions by their parts, anywhere in the tree."""
    shown = [text[child.span.start : child.span.end] for child in _children(node)]
    start, stop = node.span.start, node.span.end
    match node:
        case nodes.Pipe(head=head, stages=stages):
            whole = [head, *stages]
            for i in range(len(whole)):
                rest = [text[e.span.start : e.span.end] for e in whole[:i] + whole[i + 1 :]]
                yield start, stop, " -> ".join(rest)
        case nodes.Binary(left=left, right=right):
            yield from ((start, stop, text[e.span.start : e.span.end]) for e in (left, right))
        case nodes.Unary(operand=operand):
            yield start, stop, text[operand.span.start : operand.span.end]
        case nodes.Call(func=func, args=args):
            given = [text[a.span.start : a.span.end] for a in args]
            yield from ((start, stop, text[a.value.span.start : a.value.span.end]) for a in args if a.name is None)
            for i in range(len(given)):
                rest = ", ".join(given[:i] + given[i + 1 :])
                yield start, stop, f"{func.id}({rest})" if rest else func.id
        case nodes.List(items=items) if len(items) > 1:
            yield start, stop, f"[{shown[0]}]"
            yield start, stop, f"[{', '.join(shown[1:])}]"
        case nodes.Number(value=value) if value not in (1, 2):
            yield from ((start, stop, number) for number in ("1", "2"))
    for child in _children(node):
        yield from _edits(text, child)


def _fewer_axes(text: str, file: nodes.File) -> Iterator[str]:
    """Yield the text with all shapes of a section that are alike cut to their first axis: some have to stay alike."""
    for section in file.sections:
        start, stop = section.span.start, section.span.end
        lists = re.findall(r"\[[^\[\]]*,[^\[\]]*\]", text[start:stop])
        for shape in dict.fromkeys(lists):
            yield text[:start] + text[start:stop].replace(shape, f"{shape.partition(',')[0]}]") + text[stop:]


def _smaller_sizes(text: str) -> Iterator[str]:
    """Yield the text with all sizes 1, for some depend on each other, and with those of one value made smaller."""
    yield re.sub(r"(?<![\w.])\d+(?![\w.%])", "1", text)
    for size in sorted({int(n) for n in re.findall(r"(?<![\w.])\d+(?![\w.%])", text)}, reverse=True):
        for smaller in (1, 2, size - 1):
            if 0 < smaller < size:
                yield re.sub(rf"(?<![\w.]){size}(?![\w.%])", str(smaller), text)


def swept(text: str) -> str:
    """Take out what nothing reads any more, until all is read: the compiler would refuse it."""
    while True:
        file = _parsed(text)
        edits = list(_dead(text, file)) if file is not None else []
        if not edits:
            return text
        for start, stop, new in sorted(edits, reverse=True):
            text = text[:start] + new + text[stop:]


def _dead(text: str, file: nodes.File) -> Iterator[Edit]:
    """Yield what takes out something that nothing reads; nothing where all is read."""
    blocks = {name for section in file.sections for name in _read(section)}
    trained = [name for s in file.sections if s.keyword == "train" for name in _read(s)]
    for section in file.sections:
        if isinstance(section, NAMED) and section.name.id not in blocks:
            yield section.span.start, section.span.end, ""
            return
        if not isinstance(section, (nodes.ModelSection, nodes.BlockSection)):
            continue
        read = {*_read(section), *(trained if isinstance(section, nodes.ModelSection) else [])}
        params = section.params if isinstance(section, nodes.BlockSection) else ()
        used = {name for s in section.statements for name in _names(s)}
        kept = [text[p.span.start : p.span.end] for p in params if p.name.id in used]
        if len(kept) < len(params):
            yield params[0].span.start, params[-1].span.end, ", ".join(kept)
            return
        for s in section.statements:
            if isinstance(s, (nodes.Assign, nodes.LayerDef, nodes.TensorDecl)) and s.name.id not in read:
                yield s.span.start, s.span.end, ""
                if isinstance(section, nodes.BlockSection) and isinstance(s, nodes.TensorDecl):
                    yield from _not_given(text, file, section, s)
                return


def _not_given(text: str, file: nodes.File, block: nodes.BlockSection, lost: nodes.TensorDecl) -> Iterator[Edit]:
    """Yield what takes the operand of an input out of all calls of its block."""
    inputs = [s for s in block.statements if isinstance(s, nodes.TensorDecl)]
    for node in _all(file):
        if isinstance(node, nodes.Call) and node.func.id == block.name.id:
            operands = [a for a in node.args if a.name is None]
            if len(operands) == len(inputs) > 1:
                left = [text[a.span.start : a.span.end] for a in node.args if a is not operands[inputs.index(lost)]]
                yield node.span.start, node.span.end, f"{node.func.id}({', '.join(left)})"


def _all(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in _children(node):
        yield from _all(child)


def _read(section: nodes.Section) -> Iterator[str]:
    for value in section_expressions(section):
        yield from _names(value)
