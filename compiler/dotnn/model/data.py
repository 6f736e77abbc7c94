"""Reading the `data` section. The files themselves are read when a model is trained, not here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.constants import Constants, describe, evaluate
from dotnn.model.keys import Keys, items
from dotnn.model.messages import Fail
from dotnn.model.model import Data, Declared, FileSource, Scale, Split
from dotnn.schema import FRACTION, INTEGER, NUMBER, Arg, Symbol, number
from dotnn.syntax import nodes

DATA_KEYS = ("source", "scale", "one_hot", "split")
FORMATS = ("csv", "npz")
SCALES: dict[str, tuple[Arg, ...]] = {
    "range": (
        Arg("low", NUMBER, 0.0, "where the training part's minimum goes"),
        Arg("high", NUMBER, 1.0, "where its maximum goes"),
    ),
    "standard": (),
    "divide": (Arg("by", number("a number other than 0", lambda v: v != 0), doc="the divisor"),),
}
SPLIT = (
    Arg("train", FRACTION, 1.0, "share of the training part"),
    Arg("val", FRACTION, 0.0, "share of the validation part"),
    Arg("test", FRACTION, 0.0, "share of the test part"),
    Arg("seed", INTEGER, 0, "seed of the shuffle"),
)


def read_data(keys: Keys, declared: Mapping[str, Declared]) -> Data | None:
    """Return where the examples come from; errors go to the reporter of `keys`."""
    if keys.section is None:
        return None
    inline = {name: _inline(name, keys) for name in keys.values if name in declared}
    source = keys.read("source", lambda e: _source(e, declared), None)
    if inline and source:
        keys.reporter.add(messages.inline_and_source(keys.spans["source"].span))
    _complete(keys, declared, inline, source)
    scales = keys.read("scale", lambda e: tuple(_scale(i, keys.constants, declared) for i in items(e)), ())
    one_hot = keys.read("one_hot", lambda e: tuple(_declared_name(i, declared).name for i in items(e)), ())
    split = keys.read("split", lambda e: _split(e, keys.constants, declared), None)
    return Data(inline, source, scales, one_hot, split)


def _inline(name: str, keys: Keys) -> Any:
    with keys.reporting():
        value = evaluate(keys.values[name], keys.constants)
        if not isinstance(value, list) or not value:
            raise Fail(messages.inline_data(keys.values[name].span, f"{name} must be a list with one entry per example"))
        _rectangular(value, keys.values[name], name)
        return value
    return None


def _rectangular(value: Any, expr: nodes.Expr, name: str) -> tuple[int, ...]:
    """Return the shape of nested lists of numbers, or raise `Fail` at the first row that does not fit."""
    if not isinstance(expr, nodes.List):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Fail(messages.inline_data(expr.span, f"{name} holds {describe(value)} where a number is needed"))
        return ()
    shapes = [_rectangular(v, e, name) for v, e in zip(value, expr.items, strict=True)]
    for shape, item in zip(shapes, expr.items, strict=True):
        if shape != shapes[0]:
            raise Fail(messages.inline_data(item.span, f"{name}: this row has {shape or 'one number'}, the first has {shapes[0] or 'one number'}"))
    return (len(shapes), *(shapes[0] if shapes else ()))


def _complete(keys: Keys, declared: Mapping[str, Declared], inline: Mapping[str, Any], source: FileSource | None) -> None:
    given = set(inline) | set(source.fields if source else ())
    missing = [name for name in declared if name not in given]
    failed = "source" in keys.values and source is None
    if missing and not failed and keys.section is not None:
        place = keys.spans["source"].span if source else keys.section.span
        keys.reporter.add(messages.data_missing(place, missing))


def _source(expr: nodes.Expr, declared: Mapping[str, Declared]) -> FileSource:
    if not isinstance(expr, nodes.Call) or expr.func.id not in FORMATS:
        raise Fail(messages.source_form(expr.span))
    head = expr.args[0] if expr.args else None
    if head is None or head.name is not None or not isinstance(head.value, nodes.String):
        raise Fail(messages.source_form(expr.span))
    fields: dict[str, tuple[str, ...]] = {}
    for arg in expr.args[1:]:
        if arg.name is None:
            raise Fail(messages.source_form(arg.span))
        item = declared.get(arg.name.id)
        if item is None:
            raise Fail(messages.data_name(arg.name.span, arg.name.id, list(declared)))
        fields[item.name] = tuple(_word(e) for e in items(arg.value))
        width = item.type.example[0] if len(item.type.example) == 1 else 1
        if expr.func.id == "csv" and (len(item.type.example) > 1 or len(fields[item.name]) != width):
            raise Fail(messages.columns_shape(arg.span, item.name, str(list(item.type.example)), len(fields[item.name])))
    return FileSource(expr.func.id, head.value.value, fields, head.value.span)


def _word(expr: nodes.Expr) -> str:
    """Return a column's name, written as a word or, where it is no word, as a text."""
    if isinstance(expr, nodes.Name):
        return expr.id
    if isinstance(expr, nodes.String):
        return expr.value
    raise Fail(messages.source_form(expr.span))


def _declared_name(expr: nodes.Expr, declared: Mapping[str, Declared]) -> Declared:
    name = expr.id if isinstance(expr, nodes.Name) else ""
    if name not in declared:
        raise Fail(messages.data_name(expr.span, name or "this", list(declared)))
    return declared[name]


def _scale(expr: nodes.Expr, constants: Constants, declared: Mapping[str, Declared]) -> Scale:
    call = nodes.Call(expr.span, expr, ()) if isinstance(expr, nodes.Name) else expr
    if not isinstance(call, nodes.Call) or call.func.id not in SCALES:
        raise Fail(messages.scale_form(expr.span))
    named = [a.value for a in call.args if a.name is None and isinstance(a.value, nodes.Name) and a.value.id in declared]
    rest = [a for a in call.args if a.value not in named]
    method = call.func.id
    attrs = bind(method, SCALES[method], rest, call.span, constants)
    chosen = [declared[e.id] for e in named if isinstance(e, nodes.Name)]
    chosen = chosen or [d for d in declared.values() if d.role == "input" and d.kind == "real"]
    for item in chosen:
        if item.kind != "real":
            raise Fail(messages.scale_target(call.span, item.name, "classes" if item.kind == "class" else "integers"))
    return Scale(method, tuple(d.name for d in chosen), attrs)


def _split(expr: nodes.Expr, constants: Constants, declared: Mapping[str, Declared]) -> Split:
    if not isinstance(expr, nodes.Call) or expr.func.id != "split":
        raise Fail(messages.split_form(expr.span, "a split is written split(train = 80%, val = 20%)"))
    by = [a for a in expr.args if a.name is not None and a.name.id == "stratify"]
    stratify = _declared_name(by[0].value, declared).name if by else ""
    if stratify and declared[stratify].kind != "class":
        raise Fail(messages.split_form(by[0].span, f"{stratify} has no classes to stratify by"))
    rest = [a for a in expr.args if a not in by]
    attrs = bind("split", SPLIT, rest, expr.span, constants)
    fractions = {k: attrs[k] for k in ("train", "val", "test")}
    if abs(sum(fractions.values()) - 1) > 1e-9 or not fractions["train"]:
        raise Fail(messages.split_form(expr.span, f"the parts add up to {sum(fractions.values()):.4g}, not 1"))
    return Split(fractions, stratify, attrs["seed"])


__all__ = ["DATA_KEYS", "SCALES", "SPLIT", "Symbol", "read_data"]
