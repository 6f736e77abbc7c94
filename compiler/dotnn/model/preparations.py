"""Reading what is done to data: `missing`, `scale`, `one_hot`, and inputs and targets that are made of something."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dotnn.core.arguments import Bound
from dotnn.core.diagnostics import Span
from dotnn.library.preparations import PREPARATIONS, Preparation
from dotnn.library.preparations.base import features
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.constants import Constants, Poisoned
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared
from dotnn.model.section import SectionReader
from dotnn.model.synonyms import suggest
from dotnn.syntax import nodes

Declarations = Mapping[str, Declared | None]
"""Inputs and targets by name; None where the declaration itself is wrong, which has been reported."""
Way = Bound[Preparation]


SUITED = {"missing": ("real",), "scale": ("real", "date")}
"""The kinds of inputs that a key of `data` is of; a date is scaled as the three numbers that it becomes."""


def ways_of(key: str) -> dict[str, Preparation]:
    """Return the preparations that a key of `data` names."""
    return {name: way for name, way in PREPARATIONS.items() if way.key == key}


@dataclass
class Preparations:
    """What is done to each input and target, in order; `made_of` other inputs, and of `columns` of the source."""

    ways: dict[str, list[Way]] = field(default_factory=dict)
    made_of: dict[str, str] = field(default_factory=dict)
    columns: dict[str, nodes.Name | nodes.String] = field(default_factory=dict)

    def add(self, name: str, way: Way) -> None:
        """Add what is done to an array after all that is done to it already."""
        self.ways.setdefault(name, []).append(way)

    def of(self, name: str) -> Sequence[Way]:
        """Return what is done to an array."""
        return self.ways.get(name, ())


def read_preparations(section: SectionReader, keys: Sequence[str], declared: Declarations) -> Preparations:
    """Return what is done to the data; errors go to the reporter of `section`. `keys` are those of it that are keys."""
    reader = _Reader(section.constants, declared, Preparations())
    for item in filter(None, declared.values()):
        if item.kind == "date":
            reader.found.add(item.name, Bound(PREPARATIONS["date"], {}))
        if item.kind == "category":
            reader.found.add(item.name, Bound(PREPARATIONS["category"], {"size": item.bound}))
    readers: dict[str, Callable[[nodes.Expr], None]] = {
        "missing": lambda expr: reader.named("missing", expr),
        "scale": lambda expr: reader.named("scale", expr),
    }
    for key in keys:
        if key in readers:
            section.each(key, readers[key])
    for name, expr in section.values.items():
        if is_made(expr) and name in declared:
            with section.reporting(name):
                assert isinstance(expr, nodes.Call)
                reader.made(name, expr)
    if "one_hot" in keys:
        section.each("one_hot", reader.one_hot)
    return reader.found


def is_made(expr: nodes.Expr) -> bool:
    """Whether the value of an input or target says that it is made of something: `indicator(x)`, `bins(price, …)`."""
    return isinstance(expr, nodes.Call) and expr.func.id in {**ways_of("input"), **ways_of("column")}


@dataclass(frozen=True)
class _Reader:
    constants: Constants
    declared: Declarations
    found: Preparations

    # ------------------------------------------------------------------------------------------ missing and scale

    def named(self, key: str, expr: nodes.Expr) -> None:
        """Read one preparation that names its arrays: `standard(x)`; without names it is of every real input."""
        call = nodes.Call(expr.span, expr, ()) if isinstance(expr, nodes.Name) else expr
        known = ways_of(key)
        if not isinstance(call, nodes.Call):
            raise Fail(messages.data.way_form(expr.span, key, list(known)))
        if call.func.id not in known:
            raise Fail(messages.data.way_form(call.func.span, key, list(known), suggest(call.func.id, known)))
        entry = known[call.func.id]
        named = [a for a in call.args if self._is_array(a)]
        chosen = [(declared_name(a.value, self.declared), a.span) for a in named]
        attrs = bind(entry.name, entry.args, [a for a in call.args if a not in named], call.span, self.constants)
        for item, span in chosen or [(item, call.span) for item in self._inputs_for(key)]:
            self._check(entry, item, span)
            self._check_bounds(attrs, item, call.span)
            self.found.add(item.name, Bound(entry, attrs))

    def _is_array(self, arg: nodes.Arg) -> bool:
        """Whether an argument names an array, and is no number."""
        return arg.name is None and isinstance(arg.value, nodes.Name) and arg.value.id not in self.constants

    def _inputs_for(self, key: str) -> Iterator[Declared]:
        """Yield the inputs that a preparation without names is of."""
        return (d for d in self.declared.values() if d and d.role == "input" and d.kind in SUITED[key])

    def _check(self, entry: Preparation, item: Declared, span: Span) -> None:
        """Raise `Fail` where a preparation does not suit an array, or comes after one that it does not suit."""
        if item.kind not in SUITED[entry.key]:
            raise Fail(messages.data.unsuited(span, item.name, item.kind, entry.key))
        if entry.key == "missing" and item.role == "target" and not entry.drops:
            raise Fail(messages.data.target_gaps(span, item.name))
        before = [way for way in self.found.of(item.name) if way.entry.key == entry.key]
        if before and (entry.key == "missing" or (entry.fit and any(way.entry.fit for way in before))):
            raise Fail(messages.data.prepared_twice(span, item.name, entry.key, before[0].name, entry.name))
        if before and entry.raw({a.name: a.default for a in entry.args}, item.type.example) != "real":
            raise Fail(messages.data.comes_first(span, item.name, entry.name, before[0].name))

    def _check_bounds(self, attrs: Mapping[str, object], item: Declared, span: Span) -> None:
        """Raise `Fail` where a list of bounds has not a number for each feature, or the ends of a range are swapped."""
        shape = features(attrs, item.type.example)
        ends = []
        for name in ("min", "max"):
            bound = attrs.get(name)
            if isinstance(bound, tuple) and (len(bound),) != shape:
                raise Fail(messages.data.bounds_shape(span, name, item.name, len(bound), list(shape)))
            ends.append(bound if isinstance(bound, tuple) else (bound,))
        count = max(map(len, ends))
        least, most = (end * count if len(end) == 1 else end for end in ends)
        for low, high in zip(least, most, strict=True):
            if isinstance(low, int | float) and isinstance(high, int | float) and low >= high:
                raise Fail(messages.data.bounds_swapped(span, item.name, low, high))

    # ---------------------------------------------------------------------------------- made of something, one-hot

    def made(self, name: str, call: nodes.Call) -> None:
        """Read an input that is made of another one, or an input or target that is made of a column."""
        item, entry = self.declared[name], PREPARATIONS[call.func.id]
        if item is None:
            raise Poisoned
        if not call.args or call.args[0].name is not None:
            raise Fail(messages.data.made_form(call.span, entry.name, entry.key))
        first, others = call.args[0], call.args[1:]
        attrs = bind(entry.name, entry.args, others, call.span, self.constants)
        if entry.key == "input":
            self._made_of_input(item, declared_name(first.value, self.declared), first.span)
        elif isinstance(first.value, nodes.Name | nodes.String):
            self._check_classes(item, len(attrs["edges"]) + 1, call.span)
            self.found.columns[name] = first.value
        else:
            raise Fail(messages.data.made_form(first.span, entry.name, entry.key))
        self.found.add(name, Bound(entry, attrs))

    def _made_of_input(self, item: Declared, other: Declared, span: Span) -> None:
        if (item.role, item.kind) != ("input", "real") or item.type != other.type:
            raise Fail(messages.data.indicator_shape(item.span, item.name, other.name, str(list(other.type.example))))
        if not any(way.entry.gaps for way in self.found.of(other.name)):
            raise Fail(messages.data.no_gaps(span, other.name))
        self.found.made_of[item.name] = other.name

    def _check_classes(self, item: Declared, count: int, span: Span) -> None:
        """Raise `Fail` where an input or target has not as many classes as there are bins."""
        has = item.bound if item.kind == "class" else item.type.example[-1] if item.kind == "real" else count
        if item.kind in ("category", "date") or has != count:
            kind = f"class[{count}]" if item.kind == "class" else f"[{count}]"
            raise Fail(messages.data.bins_shape(span, item.name, count, kind))

    def one_hot(self, expr: nodes.Expr) -> None:
        """Read the name of an array whose class numbers become rows."""
        item = declared_name(expr, self.declared)
        if item.kind != "real" or not item.type.example:
            raise Fail(messages.data.unsuited(expr.span, item.name, item.kind, "one_hot"))
        if any(way.entry.key != "column" for way in self.found.of(item.name)):
            raise Fail(messages.data.one_hot_alone(expr.span, item.name))
        self.found.add(item.name, Bound(PREPARATIONS["one_hot"], {}))


def declared_name(expr: nodes.Expr, declared: Declarations) -> Declared:
    """Return the input or target that an expression names, or raise `Fail`."""
    name = expr.id if isinstance(expr, nodes.Name) else ""
    if name not in declared:
        raise Fail(messages.data.data_name(expr.span, name or "this", list(declared)))
    found = declared[name]
    if found is None:
        raise Poisoned
    return found
