"""Reading the `data` section. The files themselves are read when a model is trained, not here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dotnn.core.arguments import FRACTION, NUMBER, SEED, Arg, number
from dotnn.core.diagnostics import Span, did_you_mean
from dotnn.library.sources import SOURCES, DataSource
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.constants import Constants, Poisoned
from dotnn.model.inline import check_inline, read_inline
from dotnn.model.messages.base import Fail
from dotnn.model.model import Data, Declared, FileSource, Nested, Scale, Split
from dotnn.model.section import SectionReader, items
from dotnn.model.synonyms import suggest
from dotnn.syntax import nodes
from dotnn.syntax.walk import by_position

DATA_KEYS = ("source", "scale", "one_hot", "split")
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


def read_data(section: SectionReader, declared: Declarations) -> Data | None:
    """Return where the examples come from; errors go to the reporter of `section`."""
    if section.section is None:
        return None
    constants = section.constants
    inline = _inline(section, declared)
    one_hot = tuple(d.name for d in section.each("one_hot", lambda e: _declared_name(e, declared)))
    source = section.read("source", lambda e: _source(e, declared, one_hot), None)
    if inline and source:
        section.reporter.add(messages.data.inline_and_source(section.spans["source"].span, list(inline)))
    else:
        _complete(section, declared, source)
    scales = section.each("scale", lambda e: _scale(e, constants, declared))
    split = section.read("split", lambda e: _split(e, constants, declared), None)
    if not section.failed:
        _check_inline(section, declared, inline, one_hot)
    return Data(inline, source, scales, one_hot, split)


def _inline(section: SectionReader, declared: Declarations) -> dict[str, list[Nested]]:
    """Return the arrays that are written in the spec, by the name of their input or target."""
    inline: dict[str, list[Nested]] = {}
    for name, expr in section.values.items():
        if name in declared:
            with section.reporting(name):
                inline[name] = read_inline(name, expr, section.constants)
    return inline


def _check_inline(
    section: SectionReader, declared: Declarations, inline: Mapping[str, list[Nested]], one_hot: Sequence[str]
) -> None:
    whole = {name: d for name, d in declared.items() if d is not None}
    check_inline(section, {name: v for name, v in inline.items() if name in whole}, whole, one_hot)


def _complete(section: SectionReader, declared: Declarations, source: FileSource | None) -> None:
    given = {*section.values, *(source.fields if source else ())}
    missing = [name for name in declared if name not in given]
    if missing and "source" not in section.failed:
        place = section.spans["source"].span if source else section.head
        section.reporter.add(messages.data.data_missing(place, missing))


def _source(expr: nodes.Expr, declared: Declarations, one_hot: Sequence[str]) -> FileSource:
    call, file = _file_call(expr)
    fields: dict[str, tuple[str, ...]] = {}
    places: dict[str, Span] = {}
    for arg in call.args[1:]:
        if arg.name is None:
            message = "columns and keys are given by the name of their input or target"
            raise Fail(messages.data.source_form(arg.span, message))
        item = _declared_name(arg.name, declared)
        places |= {_word(e): e.span for e in items(arg.value)}
        fields[item.name] = tuple(map(_word, items(arg.value)))
        _check_width(SOURCES[call.func.id], item, len(fields[item.name]), one_hot, arg)
    return FileSource(call.func.id, file.value, fields, file.span, places)


def _file_call(expr: nodes.Expr) -> tuple[nodes.Call, nodes.String]:
    """Return the call of a registered source, and the name of its file, or raise `Fail`."""
    if not isinstance(expr, nodes.Call):
        forms = " or ".join(entry.form for entry in SOURCES.values())
        raise Fail(messages.data.source_form(expr.span, f"a source is {forms}"))
    if expr.func.id not in SOURCES:
        hint = did_you_mean(expr.func.id, SOURCES)
        raise Fail(messages.data.source_form(expr.func.span, f'there is no data format "{expr.func.id}"', hint))
    place = expr.args[0].span if expr.args else expr.span
    first = expr.args[0].value if expr.args and expr.args[0].name is None else None
    if not isinstance(first, nodes.String):
        raise Fail(messages.data.source_form(place, "a source starts with the name of its file"))
    return expr, first


def _check_width(entry: DataSource, item: Declared, found: int, one_hot: Sequence[str], arg: nodes.Arg) -> None:
    """Raise `Fail` where the columns or arrays of a source cannot make up an example."""
    shape = item.type.example
    if not entry.holds(shape):
        raise Fail(messages.data.columns_rank(arg.span, item.name, str(list(shape))))
    width = 1 if item.name in one_hot else entry.width(shape)
    if found != width and entry.table:
        raise Fail(messages.data.columns_shape(arg.span, item.name, str(list(shape)), width, found))
    if found != width:
        raise Fail(messages.data.source_form(arg.span, f"{item.name} is one array of {entry.file}: name one key"))


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
    named = [a for a in call.args if _is_array(a, constants)]
    chosen = [_scalable(a, declared) for a in named]
    attrs = bind(method, SCALES[method], [a for a in call.args if a not in named], call.span, constants)
    return Scale(method, tuple(chosen) or _real_inputs(declared), attrs)


def _is_array(arg: nodes.Arg, constants: Constants) -> bool:
    """Whether an argument of a scale names an array, and is no number."""
    return arg.name is None and isinstance(arg.value, nodes.Name) and arg.value.id not in constants


def _scalable(arg: nodes.Arg, declared: Declarations) -> str:
    """Return the name of an array of real numbers, or raise `Fail`."""
    item = _declared_name(arg.value, declared)
    if item.kind != "real":
        kind = "classes" if item.kind == "class" else "whole numbers that stand for something"
        raise Fail(messages.data.scale_target(arg.span, item.name, kind))
    return item.name


def _real_inputs(declared: Declarations) -> tuple[str, ...]:
    return tuple(d.name for d in declared.values() if d is not None and (d.role, d.kind) == ("input", "real"))


def _split(expr: nodes.Expr, constants: Constants, declared: Declarations) -> Split:
    if not isinstance(expr, nodes.Call) or expr.func.id != "split":
        raise Fail(messages.data.split_form(expr.span, "a split is written split(train = 80%, val = 20%)"))
    by = _named(expr, "stratify")
    shares = [a for a in expr.args if a not in by]
    attrs = bind("split", SPLIT, shares, expr.span, constants)
    fractions = {part: attrs[part] for part in ("train", "val", "test")}
    if not by_position(expr) and not _named(expr, "train"):
        fractions["train"] = max(0.0, round(1.0 - fractions["val"] - fractions["test"], 12))
    stratify = _classes_named(by[0].value, declared) if by else ""
    _check_sum(fractions, expr.span)
    return Split(fractions, stratify, attrs["seed"])


def _named(call: nodes.Call, name: str) -> list[nodes.Arg]:
    return [a for a in call.args if a.name is not None and a.name.id == name]


def _classes_named(expr: nodes.Expr, declared: Declarations) -> str:
    """Return the name of a target of classes, or raise `Fail`."""
    target = _declared_name(expr, declared)
    if target.kind != "class":
        classes = [d.name for d in declared.values() if d is not None and d.kind == "class"]
        help = f"stratify by {' or '.join(classes)}" if classes else "no target holds classes: leave stratify out"
        raise Fail(messages.data.split_form(expr.span, f"{target.name} has no classes to stratify by", help))
    return target.name


def _check_sum(fractions: Mapping[str, float], span: Span) -> None:
    total = sum(fractions.values())
    if abs(total - 1) > 1e-9 or not fractions["train"]:
        shown = " + ".join(f"{share * 100:.4g}% {part}" for part, share in fractions.items() if share)
        message = f"the parts must add up to 100%: {shown} are {total * 100:.4g}%"
        raise Fail(messages.data.split_form(span, message))
