"""Finished lines of Python: the bodies of `forward`, `total_loss` and `backward`, one equation a line.

Above the lines of each statement stands a banner with its place in the spec; a value read from outside (parameters,
the batch, the cache) is unpacked where it is first needed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter

from dotnn.codegen import wrap
from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value
from dotnn.ir.tensor import BATCH
from dotnn.model.model import Model

NameOf = Callable[[Value], str]

WAYS = {
    "forward": "one step after the other",
    "backward": "back from the last step: backpropagation through time",
    "again": "the steps of this part again, from the states that it began with",
}
COMMENT_COLUMN = 52


class Body:
    """The body of one function: unpacks lazily, prints banners, keeps what has been defined.

    Its `lines` are whole statements: who prints them knows the width of the page.
    """

    def __init__(self, model: Model, graph: Graph) -> None:
        self.model = model
        self.graph = graph
        self.lines: list[str] = []
        self.known: set[int] = set()
        self.origin: dict[int, tuple[str, str]] = {}
        sources = (graph.params, "params"), (graph.state, "params"), (graph.inputs, "batch"), (graph.targets, "batch")
        for table, container in sources:
            self.origin |= {v.id: (container, name) for name, v in table.items()}
        self.banners = Banners(model)

    def cached(self, values: Iterable[Value]) -> None:
        """Declare that these values are to be read from the cache."""
        self.origin |= {v.id: ("cache", v.name) for v in values}

    def nodes(self, nodes: Sequence[Node], remarks: Mapping[str, str] | None = None) -> None:
        """Append the lines of all nodes, grouped by statement."""
        for layer, group in groupby(nodes, key=lambda n: n.layer):
            block = list(group)
            self.lines += [""] * bool(self.lines)
            self.lines.append(self.banners.of(block[0]))
            self.lines += [f"# {remarks[layer]}"] if remarks and layer in remarks else []
            self._block(block)

    def _block(self, block: Sequence[Node]) -> None:
        """Append the lines of a statement's nodes."""
        self.unpack([v for n in block for v in n.ins], {v.id for n in block for v in n.outs})
        for node in block:
            self.lines += loop_lines(node, node.loop, constant_starts(block)) if node.loop else statement(node)
            self.known.update(v.id for v in node.outs)

    def unpack(self, values: Iterable[Value], made_here: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        """Append `a, b = params["a"], params["b"]` for what is not in scope yet."""
        wanted = {v.id: v for v in values if v.id not in self.known and v.id not in made_here and v.id in self.origin}
        for container in ("batch", "params", "cache"):
            chosen = [v for v in wanted.values() if self.origin[v.id][0] == container]
            self.lines += _unpacking(chosen, container, lambda v: self.origin[v.id][1])
        self.known.update(wanted)


def _unpacking(values: Sequence[Value], container: str, key: Callable[[Value], str]) -> list[str]:
    return _assignments([v.name for v in values], [f'{container}["{key(v)}"]' for v in values])


def statement(node: Node, name_of: NameOf = attrgetter("name"), target: str = "", room: int = INDENT) -> list[str]:
    """Return `name = expression  # [shape]  equation`, to be moved right by `room`; nothing is broken yet."""
    op = node.rule
    line = op.line_of_both(node, name_of)
    return in_column(f"{target or f'{node.out.name} ='} {line}", comment_of(node), room)


def loop_lines(node: Node, loop: Loop, constant: Collection[int] = ()) -> list[str]:
    """Return a loop over time: arrays for what it collects, its steps, and what is left after the last one."""
    collected, final, summed = loop.outputs(node.outs)
    like = next(v for v in node.ins if v.type.dtype == "real")
    dtype = loop_dtype(node, loop, attrgetter("name"), constant) or f"{like.name}.dtype"
    lines = [*_arrays(collected, like, dtype), *(f"{v.name} = {_zeros(v, like, dtype)}" for v in summed)]
    lines += loop_steps(node, loop, attrgetter("name"))
    return lines + [f"{out.name} = {v.name}" for out, v in zip(final, loop.final, strict=True)]


def constant_starts(nodes: Iterable[Node]) -> set[int]:
    """Return the numbers of first states that are the same number everywhere."""
    found: set[int] = set()
    for node in nodes:
        if node.op == "zero_state" or (node.op == "expression" and all(v.id in found for v in node.ins)):
            found.add(node.out.id)
    return found


def loop_dtype(node: Node, loop: Loop, name_of: NameOf, constant: Collection[int]) -> str:
    """Return the type of what a loop of the forward pass collects: any array that it reads may be complex there, but
    first states that are `constant`.

    Nothing is complex in the backward pass, whose loops have no text here.
    """
    if node.phase == "backward":
        return ""
    initial = {v.id for v in loop.initial(node.ins) if v.id in constant}
    read = dict.fromkeys(name_of(v) for v in node.ins if v.type.dtype == "real" and v.id not in initial)
    return f"np.result_type({', '.join(read)})"


def loop_steps(node: Node, loop: Loop, name_of: NameOf, sums_in: str = "{}", room: int = INDENT) -> list[str]:
    """Return the initial states and the loop itself, to be moved right by `room`.

    `name_of` says what the values outside are called in it, `sums_in` how an array is written that holds a sum.
    """
    states, at = [v.name for v in loop.leaving], "part" if loop.nested else "step"
    added = {
        v.id: f"{sums_in.format(name_of(out))} +="
        for v, out in zip(loop.summed, loop.outputs(node.outs)[2], strict=True)
    }
    body = [
        *_step_begins(node, loop, name_of, at, room + INDENT),
        *_step_computes(loop, name_of, added, room + INDENT),
        *_step_leaves(node, loop, name_of, at, room + INDENT),
    ]
    again = node.phase == "backward" and loop.leaving[0].role != "cotangent"
    head = in_column(f"for {at} in {loop.order()}:", WAYS["again" if again else node.phase], room)
    return [*_assignments(states, [name_of(v) for v in loop.initial(node.ins)], room), *head, *indented(body)]


def _step_begins(node: Node, loop: Loop, name_of: NameOf, at: str, room: int) -> Iterator[str]:
    """Yield the lines that give a step its states, and its parts of the sequences."""
    yield from _assignments([v.name for v in loop.entering], [v.name for v in loop.leaving], room)
    slices = [_at_step(v, name_of, at) for v in loop.sequences(node.ins)]
    yield from _assignments([v.name for v in loop.slices], slices, room)


def _step_computes(loop: Loop, name_of: NameOf, added: Mapping[int, str], room: int) -> Iterator[str]:
    """Yield the lines of what a step computes; `added` has what its sums are added to."""
    inner = loop.made()

    def name(value: Value) -> str:
        return value.name if value.id in inner else name_of(value)

    for n in loop.nodes:
        if n.loop is None:
            yield from statement(n, name, added.get(n.out.id, ""), room)
        else:
            yield from _loop_in_a_step(n, n.loop, name, added, room)


def _step_leaves(node: Node, loop: Loop, name_of: NameOf, at: str, room: int) -> Iterator[str]:
    """Yield the lines that keep what a step leaves behind; within another step each has a line."""
    kept = [_at_step(v, name_of, at) for v in loop.outputs(node.outs)[0]]
    made = [v.name for v in loop.collected]
    if loop.nested:
        yield from (f"{a} = {b}" for a, b in zip(kept, made, strict=True))
    else:
        yield from _assignments(kept, made, room)


def _loop_in_a_step(node: Node, loop: Loop, name_of: NameOf, added: Mapping[int, str], room: int) -> list[str]:
    """Return a loop within the step of another one: one part of a sequence; `added` has what its sums are added to."""
    collected, final, summed = loop.outputs(node.outs)
    like = next(v for v in node.ins if v.type.batched and v.type.dtype == "real")
    like = replace(like, name=name_of(like))
    dtype = loop_dtype(node, loop, name_of, ()) or f"{like.name}.dtype"
    lines = [*_arrays(collected, like, dtype), *(f"{v.name} = {_zeros(v, like, dtype)}" for v in summed)]
    lines += loop_steps(node, loop, name_of, room=room)
    lines += [f"{out.name} = {v.name}" for out, v in zip(final, loop.final, strict=True)]
    return lines + [f"{added[v.id]} {v.name}" for v in summed if v.id in added]


def _at_step(sequence: Value, name_of: NameOf, at: str) -> str:
    return f"{name_of(sequence)}[:, {at}]"


def _arrays(sequences: Sequence[Value], like: Value, dtype: str) -> list[str]:
    """Return the lines that make the arrays of sequences, equal shapes together."""
    lines = ["# what the steps leave behind, in the order of time"] if sequences else []
    for shape, group in groupby(sequences, key=lambda v: v.type.shape):
        names, dims = [v.name for v in group], ", ".join([f"len({like.name})", *map(str, shape[1:])])
        for start in range(0, len(names), 4):
            part = names[start : start + 4]
            sizes = dims if len(part) == 1 else f"{len(part)}, {dims}"
            lines.append(f"{', '.join(part)} = np.zeros(({sizes}), {dtype})")
    return lines


def _zeros(value: Value, like: Value, dtype: str) -> str:
    dims = [f"len({like.name})" if size == BATCH else str(size) for size in value.type.shape]
    return f"np.zeros(({', '.join(dims)}{',' if len(dims) == 1 else ''}), {dtype})"


def _assignments(left: Sequence[str], right: Sequence[str], room: int = INDENT) -> list[str]:
    """Return `a, b = c, d`: at most four at a time, and no more than fit on a line."""
    lines: list[str] = []
    start = 0
    while start < len(left):
        count = next((n for n in (4, 3, 2) if len(_pairs(left, right, start, n)) <= WIDTH - room), 1)
        lines.append(_pairs(left, right, start, count))
        start += count
    return lines


def _pairs(left: Sequence[str], right: Sequence[str], start: int, count: int) -> str:
    return f"{', '.join(left[start : start + count])} = {', '.join(right[start : start + count])}"


def comment_of(node: Node) -> str:
    """Return the shape of a result (none for a single number) and the textbook's equation, or what its layer says."""
    shape = str(node.out.type) if node.out.type.shape else ""
    said = node.attrs.get("comment") or node.attrs.get("said")
    equation = said or node.rule.equation.format_map(_Lenient(node.attrs))
    return "   ".join(part for part in (shape, equation) if part)


class _Lenient(dict):  # type: ignore[type-arg]
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def in_column(code: str, comment: str, room: int = INDENT) -> list[str]:
    """Return a statement with a comment in a common column of a script whose lines are moved right by `room`.

    Where there is no room for both, the comment stands above; nothing is broken yet.
    """
    joined = f"{code:<{COMMENT_COLUMN + INDENT - room}}  # {comment}" if comment else code
    return [joined] if len(joined) <= WIDTH - room else [*comment_lines(comment, 0, room), code]


def commented(code: str, comment: str, room: int) -> list[str]:
    """Return a statement with a comment behind it, or above where there is no room; nothing is broken yet."""
    if not comment or len(f"{code}  # {comment}") <= WIDTH - room:
        return [f"{code}  # {comment}" if comment else code]
    return [*comment_lines(comment, len(code) - len(code.lstrip(" ")), room), code]


def comment_lines(comment: str, indent: int, room: int) -> list[str]:
    """Return a comment as lines of its own, moved in by `indent`, that fit once they are moved right by `room`."""
    head = f"{' ' * indent}# "
    return [f"{head}{line}" for line in textwrap.wrap(comment, WIDTH - room - len(head), break_on_hyphens=False)]


def on_the_page(statement: str, room: int) -> list[str]:
    """Return a whole statement, which may be indented, as lines that fit once they are moved right by `room`."""
    code = statement.lstrip(" ")
    return wrap.wrapped(code, len(statement) - len(code), WIDTH - room)


def all_on_the_page(lines: Iterable[str], room: int) -> list[str]:
    """Return whole statements, of which some may be indented, as lines that fit once they are moved right by `room`."""
    return [line for statement in lines for line in on_the_page(statement, room)]


class Banners:
    """The comment above the lines of a statement: what the spec says, and where."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.calls = {step.path: step.call for step in model.steps}

    def of(self, node: Node) -> str:
        """Return `# h1 = dense(3, sigmoid)    power_plant.nn:5`."""
        call = self.calls.get(node.layer)
        text = f"{node.layer} = {call}" if call else node.layer
        return headed(text, self.place(node))

    def place(self, node: Node) -> str:
        """Return the place in the spec, two blanks before it."""
        if node.span is None:
            return ""
        source = self.model.source
        return f"    {printable(source.at(node.span.start)[0].file)}:{source.line_of(node.span)}"


def headed(text: str, place: str) -> str:
    """Return a comment that ends with a place of the spec; a text that is too long for the line is cut."""
    room = WIDTH - 2 * INDENT - len(f"# {place}")
    return f"# {text if len(text) <= room else f'{text[: room - 2].rstrip()} …'}{place}"


def wrapped(prefix: str, items: Sequence[str], suffix: str, room: int = 0) -> list[str]:
    """Return `prefix item, item suffix` on one line if it fits, else with the items wrapped below.

    `room` is how far to the right the lines will be moved.
    """
    single = f"{prefix}{', '.join(items)}{suffix}"
    if len(single) <= WIDTH - room:
        return [single]
    return [prefix, *wrap.filled(items, INDENT, WIDTH - room), suffix]


def table_lines(name: str, entries: Sequence[str], room: int = 0) -> list[str]:
    """Return the assignment of a dict with these entries."""
    return wrapped(f"{name} = {{", entries, "}", room=room)


def indented(lines: Iterable[str], by: int = INDENT) -> list[str]:
    """Return the lines moved right; a line may hold line ends."""
    return [(" " * by + part) if part else "" for line in lines for part in line.split("\n")]


def printable(text: str) -> str:
    """Keep a path or flag on its comment line, whatever characters it holds."""
    return "".join(c if c.isprintable() else "?" for c in text)


def table(entries: Mapping[str, str]) -> str:
    """Return a dict of expressions as Python text."""
    return f"{{{', '.join(f'{literal(name)}: {text}' for name, text in entries.items())}}}"


def literal(value: object) -> str:
    """Return a constant as Python text, strings in double quotes. No string can break out of its quotes."""
    if isinstance(value, str):
        plain = value.isprintable() and "\\" not in value and '"' not in value
        return f'"{value}"' if plain else repr(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in value.items())}}}"
    return repr(value)
