"""Reading how the examples are split: by chance, by class, in an order, or by groups that stay together."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dotnn.core.arguments import FRACTION, SEED, Arg, Attrs
from dotnn.core.diagnostics import Span
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.constants import Constants
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared, Model, Split
from dotnn.model.preparations import Declarations, declared_name
from dotnn.model.section import SectionReader
from dotnn.syntax import nodes
from dotnn.syntax.walk import by_position

SPLIT = (
    Arg("train", FRACTION, 1.0, "share of the training part; where it is not given, the rest"),
    Arg("val", FRACTION, 0.0, "share of the validation part"),
    Arg("test", FRACTION, 0.0, "share of the test part"),
    Arg("seed", SEED, 0, "seed of the shuffle"),
)
WAYS = ("stratify", "order", "groups")
"""What a split goes by instead of chance alone; one of them at most."""
BESIDE = {"order": "key", "groups": "key"}
"""Columns that are read beside the inputs and targets, with the kind of their values."""

TWO_CLASSES = ("unit", "binary", "sign")
"""The kinds of a single unit whose numbers are two classes."""

Column = nodes.Name | nodes.String


def read_split(expr: nodes.Expr, constants: Constants, declared: Declarations) -> tuple[Split, dict[str, Column]]:
    """Return the split, and the columns that it goes by, by what they are for. Raises `Fail`."""
    if not isinstance(expr, nodes.Call) or expr.func.id != "split":
        raise Fail(messages.data.split_form(expr.span, "a split is written split(train = 80%, val = 20%)"))
    ways = {a.name.id: a for a in expr.args if a.name is not None and a.name.id in WAYS}
    shares = [a for a in expr.args if a.name is None or a.name.id not in WAYS]
    attrs = bind("split", SPLIT, shares, expr.span, constants)
    named = {a.name.id for a in shares if a.name is not None}
    fractions = _fractions(attrs, rest_trains=not by_position(expr) and "train" not in named)
    _check_sum(fractions, expr.span)
    _check_ways(expr, ways, named, declared)
    stratify = _classes_named(ways["stratify"].value, declared) if "stratify" in ways else ""
    order, columns = _columns(ways)
    return Split(fractions, stratify, attrs["seed"], order, "groups" in ways, expr.span), columns


def _fractions(attrs: Attrs, *, rest_trains: bool) -> dict[str, float]:
    """Return the shares of the parts; where nothing is said of training, it gets what the others leave."""
    fractions = {part: attrs[part] for part in ("train", "val", "test")}
    if rest_trains:
        fractions["train"] = max(0.0, round(1.0 - fractions["val"] - fractions["test"], 12))
    return fractions


def _columns(ways: Mapping[str, nodes.Arg]) -> tuple[str, dict[str, Column]]:
    """Return what the order is ("file", "column" or ""), and the columns that the split goes by. Raises `Fail`."""
    columns = {way: _column(ways[way]) for way in BESIDE if way in ways}
    by = columns.get("order")
    if isinstance(by, nodes.Name) and by.id == "file":
        return "file", {}
    return "column" if by is not None else "", columns


def _check_ways(expr: nodes.Call, ways: Mapping[str, nodes.Arg], named: set[str], declared: Declarations) -> None:
    """Raise `Fail` where a split goes by two things, where nothing is left to be drawn, or where names meet."""
    if len(ways) > 1:
        message = f"a split goes by one thing, not by {' and '.join(ways)}"
        raise Fail(messages.data.split_form(expr.span, message, "leave one of them out"))
    for way, arg in ways.items():
        if way in declared and way in BESIDE:
            message = f"{way} is read beside the inputs and targets, one of which is called {way}, too"
            raise Fail(messages.data.split_form(arg.span, message, "give the input or target another name"))
        if way == "order" and "seed" in named:
            message = "a split in order draws nothing: its seed has no effect"
            raise Fail(messages.data.split_form(expr.span, message, "leave the seed out"))


def _column(arg: nodes.Arg) -> Column:
    """Return the column that an argument names, or raise `Fail`."""
    if not isinstance(arg.value, nodes.Name | nodes.String):
        forms = "order = file, order = day (a column) or groups = patient (a column)"
        raise Fail(messages.data.split_form(arg.value.span, "this names no column", f"for instance: {forms}"))
    return arg.value


def _classes_named(expr: nodes.Expr, declared: Declarations) -> str:
    """Return the name of a target of classes, or of a single unit, or raise `Fail`."""
    target = declared_name(expr, declared)
    if not _is_unit(target) and (target.kind != "class" or target.type.example):
        classes = [d.name for d in declared.values() if d is not None and d.kind == "class" and not d.type.example]
        told, others = "has no classes to stratify by", "no target holds classes"
        if target.kind == "class":
            told, others = "has a class for each step, not one to stratify by", "no target holds one for each example"
        help = f"stratify by {' or '.join(classes)}" if classes else f"{others}: leave stratify out"
        if target.role == "target" and target.kind == "real" and len(target.type.example) == 1 and not classes:
            help = f"declare what is one of several classes as target {target.name}: class{list(target.type.example)}"
        raise Fail(messages.data.split_form(expr.span, f"{target.name} {told}", help))
    return target.name


def _is_unit(target: Declared) -> bool:
    """Whether a target is one number, which may stand for two classes."""
    return target.role == "target" and target.kind == "real" and math.prod(target.type.example) == 1


def check_stratified(section: SectionReader, model: Model) -> None:
    """Report a split by a single unit whose loss and metrics do not take its two numbers for classes."""
    name = model.data.split.stratify if model.data and model.data.split else ""
    if not name or not _is_unit(model.targets[name]) or model.raw_kind(name) in TWO_CLASSES:
        return
    call = section.values["split"]
    assert isinstance(call, nodes.Call)
    place = next(arg.value.span for arg in call.args if arg.name is not None and arg.name.id == "stratify")
    help = "a unit has two classes where its loss or a metric is of such: bce, hinge, accuracy; or leave stratify out"
    section.reporter.add(messages.data.split_form(place, f"{name} has no classes to stratify by", help))


def _check_sum(fractions: Mapping[str, float], span: Span) -> None:
    total = sum(fractions.values())
    if abs(total - 1) > 1e-9 or not fractions["train"]:
        shown = " + ".join(f"{share * 100:.4g}% {part}" for part, share in fractions.items() if share)
        message = f"the parts must add up to 100%: {shown} are {total * 100:.4g}%"
        raise Fail(messages.data.split_form(span, message))
