"""Reading the `data` section. The files themselves are read when a model is trained, not here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dotnn.core.arguments import FRACTION, NUMBER, SEED, Arg, number
from dotnn.core.diagnostics import Span, did_you_mean
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.constants import Constants, Poisoned
from dotnn.model.inline import check_inline, read_inline
from dotnn.model.messages.base import Fail
from dotnn.model.model import Data, Declared, FileSource, Scale, Split
from dotnn.model.section import SectionReader, items
from dotnn.model.synonyms import suggest
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
    Arg("train", FRACTION, 1.0, "share of the training part; where it is not given, the rest"),
    Arg("val", FRACTION, 0.0, "share of the validation part"),
    Arg("test", FRACTION, 0.0, "share of the test part"),
    Arg("seed", SEED, 0, "seed of the shuffle"),
)


Declarations = Mapping[str, Declared | None]
"""Inputs and targets by name; None where the declaration itself is wrong, which has been reported."""


def read_data(keys: SectionReader, declared: Declarations) -> Data | None:
    """Return where the examples come from; errors go to the reporter of `keys`."""
    if keys.section is None:
        return None
    inline: dict[str, Any] = {}
    for name in keys.values:
        if name in declared:
            with keys.reporting(name):
                inline[name] = read_inline(name, keys.values[name], keys.constants)
    one_hot = tuple(d.name for d in keys.each("one_hot", lambda e: _declared_name(e, declared)))
    source = keys.read("source", lambda e: _source(e, declared, one_hot), None)
    if inline and source:
        keys.reporter.add(messages.data.inline_and_source(keys.spans["source"].span, list(inline)))
    else:
        _complete(keys, declared, source)
    scales = keys.each("scale", lambda e: _scale(e, keys.constants, declared))
    split = keys.read("split", lambda e: _split(e, keys.constants, declared), None)
    whole = {name: d for name, d in declared.items() if d is not None}
    if not keys.failed:
        check_inline(keys, {name: v for name, v in inline.items() if name in whole}, whole, one_hot)
    return Data(inline, source, scales, one_hot, split)


def _complete(keys: SectionReader, declared: Declarations, source: FileSource | None) -> None:
    given = keys.values.keys() | set(source.fields if source else ())
    missing = [name for name in declared if name not in given]
    if missing and "source" not in keys.failed:
        keys.reporter.add(messages.data.data_missing(keys.spans["source"].span if source else keys.head, missing))


def _source(expr: nodes.Expr, declared: Declarations, one_hot: Sequence[str]) -> FileSource:
    form = 'a source is csv("file", x = [columns]) or npz("file", x = key)'
    if not isinstance(expr, nodes.Call):
        raise Fail(messages.data.source_form(expr.span, form))
    if expr.func.id not in FORMATS:
        hint = did_you_mean(expr.func.id, FORMATS)
        raise Fail(messages.data.source_form(expr.func.span, f'there is no data format "{expr.func.id}"', hint))
    head = expr.args[0] if expr.args else None
    if head is None or head.name is not None or not isinstance(head.value, nodes.String):
        raise Fail(
            messages.data.source_form(head.span if head else expr.span, "a source starts with the name of its file")
        )
    fields: dict[str, tuple[str, ...]] = {}
    places: dict[str, Span] = {}
    for arg in expr.args[1:]:
        if arg.name is None:
            message = "columns and keys are given by the name of their input or target"
            raise Fail(messages.data.source_form(arg.span, message))
        item = _declared_name(arg.name, declared)
        words = [_word(e) for e in items(arg.value)]
        places |= {word: e.span for word, e in zip(words, items(arg.value), strict=True)}
        fields[item.name] = tuple(words)
        _check_width(expr.func.id, item, len(words), one_hot, arg)
    return FileSource(expr.func.id, head.value.value, fields, head.value.span, places)


def _check_width(format: str, item: Declared, found: int, one_hot: Sequence[str], arg: nodes.Arg) -> None:
    """Raise `Fail` where a table's columns, or the arrays of an npz file, cannot make up an example."""
    shape = item.type.example
    if format == "npz":
        if found != 1:
            raise Fail(messages.data.source_form(arg.span, f"{item.name} is one array of an npz file: name one key"))
        return
    if len(shape) > 1:
        raise Fail(messages.data.columns_rank(arg.span, item.name, str(list(shape))))
    width = shape[0] if shape and item.name not in one_hot else 1
    if found != width:
        raise Fail(messages.data.columns_shape(arg.span, item.name, str(list(shape)), width, found))


def _word(expr: nodes.Expr) -> str:
    """Return a column's name, written as a word or, where it is no word, as a text."""
    if isinstance(expr, nodes.Name):
        return expr.id
    if isinstance(expr, nodes.String):
        return expr.value
    raise Fail(messages.data.source_form(expr.span, 'a column is written as a word, or as a text: "sepal length (cm)"'))


def _declared_name(expr: nodes.Expr, declared: Declarations) -> Declared:
    name = expr.id if isinstance(expr, nodes.Name) else ""
    if name not in declared:
        raise Fail(messages.data.data_name(expr.span, name or "this", list(declared)))
    found = declared[name]
    if found is None:
        raise Poisoned
    return found


def _scale(expr: nodes.Expr, constants: Constants, declared: Declarations) -> Scale:
    call = nodes.Call(expr.span, expr, ()) if isinstance(expr, nodes.Name) else expr
    if not isinstance(call, nodes.Call):
        raise Fail(messages.data.scale_form(expr.span, "for instance: scale = range(x, t)"))
    method = call.func.id
    if method not in SCALES:
        raise Fail(messages.data.scale_form(call.func.span, suggest(method, SCALES)))
    named = [a for a in call.args if a.name is None and isinstance(a.value, nodes.Name) and a.value.id not in constants]
    chosen = [_declared_name(a.value, declared) for a in named]
    attrs = bind(method, SCALES[method], [a for a in call.args if a not in named], call.span, constants)
    for item, arg in zip(chosen, named, strict=True):
        if item.kind != "real":
            kind = "classes" if item.kind == "class" else "whole numbers that stand for something"
            raise Fail(messages.data.scale_target(arg.span, item.name, kind))
    chosen = chosen or [d for d in declared.values() if d is not None and d.role == "input" and d.kind == "real"]
    return Scale(method, tuple(d.name for d in chosen), attrs)


def _split(expr: nodes.Expr, constants: Constants, declared: Declarations) -> Split:
    if not isinstance(expr, nodes.Call) or expr.func.id != "split":
        raise Fail(messages.data.split_form(expr.span, "a split is written split(train = 80%, val = 20%)"))
    by = [a for a in expr.args if a.name is not None and a.name.id == "stratify"]
    stratify = _declared_name(by[0].value, declared) if by else None
    if stratify is not None and stratify.kind != "class":
        classes = [d.name for d in declared.values() if d is not None and d.kind == "class"]
        help = f"stratify by {' or '.join(classes)}" if classes else "no target holds classes: leave stratify out"
        raise Fail(messages.data.split_form(by[0].value.span, f"{stratify.name} has no classes to stratify by", help))
    given = {a.name.id for a in expr.args if a.name is not None}
    attrs = bind("split", SPLIT, [a for a in expr.args if a not in by], expr.span, constants)
    fractions = {k: attrs[k] for k in ("train", "val", "test")}
    if "train" not in given and not _positional(expr):
        fractions["train"] = max(0.0, round(1.0 - fractions["val"] - fractions["test"], 12))
    if abs(sum(fractions.values()) - 1) > 1e-9 or not fractions["train"]:
        shown = " + ".join(f"{v * 100:.4g}% {k}" for k, v in fractions.items() if v)
        total = f"{sum(fractions.values()) * 100:.4g}%"
        raise Fail(messages.data.split_form(expr.span, f"the parts must add up to 100%: {shown} are {total}"))
    return Split(fractions, stratify.name if stratify else "", attrs["seed"])


def _positional(call: nodes.Call) -> bool:
    return any(a.name is None for a in call.args)
