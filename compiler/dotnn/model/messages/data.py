"""The `data` section: sources, columns, preparations, splits, inline arrays (NN320 to NN329)."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.core.diagnostics import Diagnostic, Source, Span, did_you_mean, join_names
from dotnn.model.messages.base import several


def data_name(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic("NN320", f'"{name}" is neither an input nor a target', span, help=did_you_mean(name, known))


def data_missing(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "NN321",
        f"the data section has nothing for {join_names(names)}",
        span,
        help=f"every input and target needs an array, {names[0]} = [[…], …], or columns of the source",
    )


def source_form(span: Span, message: str, known: str = "") -> Diagnostic:
    example = 'for instance: source = csv("iris.csv", x = [sepal_length, sepal_width], y = species)'
    return Diagnostic("NN322", message, span, help=known or example)


def no_header(span: Span, file: str) -> Diagnostic:
    message = f'the columns are those of "{file}", which is not there'
    return Diagnostic("NN401", message, span, help="put the file there, or name the columns one by one")


def bad_header(span: Span, file: str, reason: str) -> Diagnostic:
    message = f'the header of "{file}" cannot be read{f": {reason}" if reason else ""}'
    help = "the first line must hold the names of the columns, in UTF-8"
    return Diagnostic("NN403", message, span, help=help)


def no_column(span: Span, name: str, file: str, hint: str) -> Diagnostic:
    return Diagnostic("NN323", f'there is no column "{name}" in {file}', span, help=hint)


def range_of_columns(span: Span, first: str, last: str) -> Diagnostic:
    message = f"a range of columns goes from left to right, but {last} stands before {first}"
    return Diagnostic("NN323", message, span, help=f"write {last}..{first}")


def no_columns_left(span: Span, file: str, header: str) -> Diagnostic:
    message = f"no column of {file} is left: all of them are named here or elsewhere"
    return Diagnostic("NN323", message, span, help=f"it has {header}")


def arrays_form(span: Span, message: str, help: str = "") -> Diagnostic:
    example = 'for instance: x = npy("x.npy")  y = idx("labels.gz")'
    return Diagnostic("NN322", message, span, help=help or example)


def arrays_in_two_ways(span: Span, name: str) -> Diagnostic:
    message = f"{name} is written in the spec, and other arrays are in files"
    return Diagnostic("NN328", message, span, help="put all of them into files, or none")


def key_misfit(span: Span, message: str, name: str, shape: str) -> Diagnostic:
    return Diagnostic("NN323", message, span, help=f"{name} is declared {shape}: change one of them")


def windows_form(span: Span, message: str, help: str = "") -> Diagnostic:
    example = 'for instance: source = windows(csv("load.csv", load = load), past = 24, ahead = 1)'
    return Diagnostic("NN322", message, span, help=help or example)


def windows_shape(span: Span, name: str, shape: str, steps: int, columns: int) -> Diagnostic:
    wanted = [str(n) for n, axis in ((steps, steps > 1), (columns, columns > 1 or steps > 1)) if axis]
    message = f"{name} has shape {shape}, but {several(steps, 'step')} of {several(columns, 'column')}"
    return Diagnostic("NN323", message, span, help=f"declare it {name}: [{', '.join(wanted or ['1'])}]")


def columns_shape(span: Span, name: str, shape: str, wanted: int, found: int, *, target: bool) -> Diagnostic:
    given = f"{found} is given" if found == 1 else f"{found} are given"
    if shape == "[]":
        return Diagnostic("NN323", f"{name} is one value: it takes 1 column, but {given}", span, help="name one column")
    classes = target and found == 1 and shape == f"[{wanted}]"
    return Diagnostic(
        "NN323",
        f"{name} has shape {shape}: it takes {several(wanted, 'column')}, but {given}",
        span,
        help="name one column for each number, or change the declared shape"
        + f"; a column that says which of {wanted} classes it is: target {name}: class[{wanted}]" * classes,
    )


def columns_rank(span: Span, name: str, shape: str) -> Diagnostic:
    return Diagnostic(
        "NN323",
        f"{name} has shape {shape}, which the columns of a table cannot hold",
        span,
        help=f'store it as an array: npz("file.npz", {name} = key); or declare one axis and reshape it in the model',
    )


FORMS = {
    "missing": "missing = median(x)",
    "scale": "scale = standard(x)",
    "augment": "augment = [shift(2), flip(horizontal)]",
}
"""A key of `data` as one would write it."""


def way_form(span: Span, key: str, known: Sequence[str], hint: str = "") -> Diagnostic:
    message = f"`{key}` is one of {join_names(known)}, with names of inputs, or a list of them"
    return Diagnostic("NN324", message, span, help=hint or f"for instance: {FORMS[key]}")


KINDS = {
    "real": "numbers",
    "class": "classes",
    "int": "whole numbers that stand for something",
    "category": "texts",
    "date": "dates",
    "weight": "weights",
}
CANNOT = {
    "scale": "cannot be scaled",
    "missing": "are not filled",
    "one_hot": "cannot become one-hot rows",
    "augment": "are not changed at random",
}
SUITED = {
    "scale": "scale inputs and targets of real numbers only",
    "missing": "gaps are those of real numbers; leave other rows out of the file (of a category, an empty cell is 0)",
    "one_hot": "declare it as rows: [n]; or leave one_hot out",
    "augment": "augment inputs and targets of real numbers only",
}


def unsuited(span: Span, name: str, kind: str, key: str) -> Diagnostic:
    return Diagnostic("NN325", f'"{name}" holds {KINDS[kind]}, which {CANNOT[key]}', span, help=SUITED[key])


def no_image(span: Span, way: str, name: str, shape: str) -> Diagnostic:
    help = f"declare it {name}: [height, width, channels]; noise and mixup are of any shape"
    return Diagnostic("NN325", f"{way} is of images, but {name} is declared {shape}", span, help=help)


def image_too_small(span: Span, name: str, shape: str, problem: str) -> Diagnostic:
    return Diagnostic("NN325", f"{name} is declared {shape}: {problem}", span, help="give a smaller number")


def images_differ(span: Span, first: str, size: str, other: str, other_size: str) -> Diagnostic:
    message = f"{first} has {size} elements, and {other} {other_size}: they cannot be changed alike"
    return Diagnostic("NN325", message, span, help=f"name them one by one: augment = [flip(horizontal, {first}), …]")


def nothing_to_augment(span: Span, way: str, *, image: bool) -> Diagnostic:
    what = "an image, [height, width, channels]" if image else "of real numbers"
    help = f"name one without channels, [height, width]: {way}(…, x)" if image else f"leave {way} out"
    return Diagnostic("NN325", f"no input is {what}", span, help=help)


def mixes_all(span: Span, way: str) -> Diagnostic:
    message = f"{way} is of all inputs and targets, else they would not belong together"
    return Diagnostic("NN324", message, span, help="leave the names out")


def classes_mixed(span: Span, way: str, name: str, count: int) -> Diagnostic:
    help = f"declare rows of shares, target {name}: [{count}], and let one_hot = {name} make them of the classes"
    return Diagnostic("NN325", f'"{name}" holds classes, between which {way} finds nothing', span, help=help)


def weights_mixed(span: Span, way: str) -> Diagnostic:
    message = f"{way} makes one example of two, which may have different weights"
    return Diagnostic("NN325", message, span, help="leave the weights out, or mixup")


def target_gaps(span: Span, name: str) -> Diagnostic:
    help = f"leave these examples out: missing = drop({name})"
    return Diagnostic("NN329", f"{name} is a target: a gap in it cannot be filled", span, help=help)


def prepared_twice(span: Span, name: str, key: str, first: str, second: str) -> Diagnostic:
    what = "scaled" if key == "scale" else "filled"
    return Diagnostic("NN329", f"{name} is {what} twice, by {first} and by {second}", span, help="delete one of them")


def comes_first(span: Span, name: str, second: str, first: str) -> Diagnostic:
    message = f"{second} is of the numbers as they are, but {name} went through {first} before"
    return Diagnostic("NN329", message, span, help=f"write it first: scale = [{second}({name}), {first}({name})]")


def bounds_shape(span: Span, argument: str, name: str, found: int, shape: Sequence[int]) -> Diagnostic:
    message = f"{argument} has {several(found, 'number')}, but {name} has the features {list(shape)}"
    return Diagnostic("NN329", message, span, help="give one number for all features, or one for each")


def bounds_swapped(span: Span, name: str, low: float, high: float) -> Diagnostic:
    message = f"the range of {name} has the minimum {low} and the maximum {high}"
    return Diagnostic("NN329", message, span, help="the minimum must be below the maximum")


def made_form(span: Span, way: str, key: str) -> Diagnostic:
    forms = {"input": f"gaps = {way}(x)", "column": f"t = {way}(price, edges = [10, 20])"}
    what = {"input": "an input", "column": "a column of the source"}
    return Diagnostic("NN329", f"{way} is made of {what[key]}", span, help=f"for instance: {forms[key]}")


def indicator_shape(span: Span, name: str, other: str, shape: str) -> Diagnostic:
    message = f"{name} says where {other} has gaps: it must be an input of real numbers of the same shape"
    return Diagnostic("NN329", message, span, help=f"declare it: input {name}: {shape}")


def no_gaps(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN329",
        f"{name} has no gaps: nothing says what becomes of them",
        span,
        help=f"fill them: missing = median({name})",
    )


def bins_shape(span: Span, name: str, count: int, kind: str) -> Diagnostic:
    edges = several(count - 1, "edge")
    return Diagnostic("NN329", f"{edges} make {count} classes, which {name} has not", span, help=f"declare it {kind}")


def one_hot_alone(span: Span, name: str) -> Diagnostic:
    message = f"{name} cannot be scaled or filled where its class numbers become one-hot rows"
    return Diagnostic("NN329", message, span, help=f"leave one_hot = {name} out, or the other")


def given_twice(span: Span, name: str) -> Diagnostic:
    message = f"{name} is given twice: by the source, and by what it is made of"
    return Diagnostic("NN329", message, span, help="delete one of them")


def no_source(span: Span, name: str) -> Diagnostic:
    message = f"{name} comes from a column, but there is no source that has any"
    return Diagnostic("NN329", message, span, help='add one: source = csv("file.csv", …)')


def part_source(span: Span, part: str, form: str) -> Diagnostic:
    message = f"the part {part} is read as the source is, of which it has the columns or arrays"
    help = f"for instance: {part} = {form}" if form else f'name a source: source = csv("train.csv", …)  {part} = …'
    return Diagnostic("NN322", message, span, help=help)


def part_columns(span: Span, part: str, form: str) -> Diagnostic:
    message = f"the part {part} has the columns or arrays that the source names"
    return Diagnostic("NN322", message, span, help=f"name the file alone: {part} = {form}")


def part_twice(span: Span, part: str) -> Diagnostic:
    message = f"the part {part} has a file of its own, and a share of the source"
    return Diagnostic("NN326", message, span, help=f"leave {part} out of the split, or delete this line")


def needs_table(span: Span, name: str, file: str) -> Diagnostic:
    message = f"{name} holds texts, which {file} does not have"
    return Diagnostic(
        "NN323", message, span, help=f'read them from a table, csv("file", {name} = column); or number them'
    )


def vocabulary(span: Span, layer: str, argument: str, known: int, name: str, count: int) -> Diagnostic:
    message = f"{layer} knows the numbers 0 to {known - 1}, but {name}: category[{count}] goes up to {count - 1}"
    return Diagnostic("NN329", message, span, help=f"{argument} = {count}")


def weights_form(span: Span) -> Diagnostic:
    message = "weights are a column or an array of the source, or one number for each example"
    return Diagnostic("NN322", message, span, help="for instance: weights = survey_weight, or weights = [1, 0.5, 2]")


def split_form(span: Span, message: str, help: str = "") -> Diagnostic:
    return Diagnostic("NN326", message, span, help=help or "for instance: split(train = 80%, val = 10%, test = 10%)")


def inline_data(span: Span, message: str, note: str = "", help: str = "") -> Diagnostic:
    return Diagnostic("NN327", message, span, note, help or "one row per example: x = [[0, 0], [0, 1]]")


def inline_form(span: Span, form: str) -> Diagnostic:
    message = "the spec itself holds a list for each input and target, by its name"
    return Diagnostic("NN327", message, span, help=f"for instance: source = {form}")


def inline_and_source(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "NN328",
        "give either arrays or a source, not both",
        span,
        f"there are arrays for {join_names(names)}",
        "delete the source, or the arrays",
    )


def no_file_given(given: str, path: str) -> Diagnostic:
    """Return the error for a file of `--data` that is not there; `path` is where it was looked for."""
    place = Source("--data", given)
    return Diagnostic("NN401", f'there is no file "{path}"', Span(0, len(given)), help="check the path", source=place)
