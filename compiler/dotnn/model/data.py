"""Reading the `data` section. The files themselves are read when a model is trained, not here."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dotnn.core.arguments import POSITIVE_INT, Arg
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.model import messages
from dotnn.model.array_files import array_calls, is_array_call, read_arrays
from dotnn.model.augmentations import KEY as AUGMENT
from dotnn.model.augmentations import read_augmentations
from dotnn.model.inline import check_inline, read_inline
from dotnn.model.messages.base import Fail
from dotnn.model.model import Data, Declared, FileSource, Nested, Split
from dotnn.model.preparations import Declarations, Preparations, is_made, read_preparations
from dotnn.model.section import SectionReader
from dotnn.model.sources import SourceReader, raw_shape
from dotnn.model.splits import BESIDE, Column, read_split
from dotnn.syntax import nodes

DATA_KEYS = ("source", "val", "test", "missing", "scale", "one_hot", "split", "weights", "take", "augment")
WEIGHTS = "weights"
TAKE = Arg("take", POSITIVE_INT, 0, "so many examples are left in the training part: drawn, or in an order the first")
PARTS = ("val", "test")
"""The parts that may have a file of their own."""


def read_weights(section: SectionReader, declared: Declarations) -> dict[str, Declared]:
    """Return what says how much each example counts, as a target of that name; nothing where the spec has no such key.

    The key yields to an input or target that is called so.
    """
    if WEIGHTS in declared or WEIGHTS not in section.values:
        return {}
    return {WEIGHTS: Declared(WEIGHTS, "target", "weight", TensorType((BATCH,)), 0, section.spans[WEIGHTS].span)}


def _weights(section: SectionReader, declared: Declarations) -> dict[str, Column]:
    """Return the column or array of the source that the weights are in; none where it is wrong, which is reported."""
    with section.reporting(WEIGHTS):
        return _weights_column(section, declared)
    return {}


def _weights_column(section: SectionReader, declared: Declarations) -> dict[str, Column]:
    """Return the column or array of the source that the weights are in; none where they are written in the spec."""
    item, expr = declared.get(WEIGHTS), section.values.get(WEIGHTS)
    if item is None or item.kind != "weight" or isinstance(expr, nodes.List) or (expr and is_array_call(expr)):
        return {}
    if not isinstance(expr, nodes.Name | nodes.String):
        assert expr is not None
        raise Fail(messages.data.weights_form(expr.span))
    return {WEIGHTS: expr}


def read_data(section: SectionReader, declared: Declarations) -> Data | None:
    """Return where the examples come from, and what is done to them; errors go to the reporter of `section`.

    A key yields to an input or target of its name.
    """
    if section.section is None:
        return None
    keys = [key for key in DATA_KEYS if key not in declared]
    inline, in_files = _inline(section, declared), array_calls(section, declared)
    found = read_preparations(section, keys, declared)
    split, columns = _split(section, keys, declared)
    beside = {**found.columns, **columns, **_weights(section, declared)}
    reader = SourceReader(section, declared, found, beside)
    source = section.read("source", reader.source, None) if "source" in keys else None
    if in_files and "source" not in section.values:
        source = read_arrays(section, in_files, declared, beside)
    if not _said_in_two_ways(section, inline, in_files):
        _complete(section, declared, beside, source)
    if not section.failed:
        _check_inline(section, declared, inline, found)
    files = reader.parts([key for key in PARTS if key in keys and key in section.values], source, split)
    kinds = {name: BESIDE[name] for name in columns} | ({"part": "text"} if files else {})
    ways = {name: tuple(some) for name, some in found.ways.items()}
    take = section.take(TAKE) if "take" in keys else 0
    changes = read_augmentations(section, declared) if AUGMENT in keys else ()
    return Data(inline, source, ways, found.made_of, split, kinds, files, take, changes)


def _split(
    section: SectionReader, keys: Collection[str], declared: Declarations
) -> tuple[Split | None, dict[str, Column]]:
    """Return how the examples are split, and the columns that only this reads."""
    nothing: tuple[Split | None, dict[str, Column]] = (None, {})
    if "split" not in keys:
        return nothing
    return section.read("split", lambda e: read_split(e, section.constants, declared), nothing)


def _said_in_two_ways(section: SectionReader, inline: Collection[str], in_files: Collection[str]) -> bool:
    """Report data of which some are written in the spec or have a file each, and others are elsewhere."""
    if inline and in_files:
        first = next(iter(inline))
        section.reporter.add(messages.data.arrays_in_two_ways(section.spans[first].span, first))
    elif (inline or in_files) and "source" in section.values:
        section.reporter.add(messages.data.inline_and_source(section.spans["source"].span, [*inline, *in_files]))
    else:
        return False
    return True


def _inline(section: SectionReader, declared: Declarations) -> dict[str, list[Nested]]:
    """Return the arrays that are written in the spec, by the name of their input or target."""
    inline: dict[str, list[Nested]] = {}
    for name, expr in section.values.items():
        item = declared.get(name)
        of_source = item is not None and item.kind == "weight" and not isinstance(expr, nodes.List)
        if name in declared and not is_made(expr) and not is_array_call(expr) and not of_source:
            with section.reporting(name):
                inline[name] = read_inline(name, expr, section.constants)
    return inline


def _check_inline(
    section: SectionReader, declared: Declarations, inline: Mapping[str, list[Nested]], found: Preparations
) -> None:
    whole = {name: d for name, d in declared.items() if d is not None}
    shapes = {name: raw_shape(d, found) for name, d in whole.items()}
    check_inline(section, {name: v for name, v in inline.items() if name in whole}, whole, shapes)


def _complete(
    section: SectionReader, declared: Declarations, beside: Mapping[str, Column], source: FileSource | None
) -> None:
    """Report inputs and targets that have no data, and columns where there is no source of any."""
    given = {*section.values, *(source.fields if source else ())}
    missing = [name for name in declared if name not in given]
    if missing and "source" not in section.failed:
        place = section.spans["source"].span if "source" in section.spans else section.head
        section.reporter.add(messages.data.data_missing(place, missing))
    if source is None and beside and "source" not in section.failed:
        name, column = next(iter(beside.items()))
        section.reporter.add(messages.data.no_source(column.span, name))
