"""Every semantic error: one function each, span first. Their wording is in this file; warnings stand in `cautions`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dotnn.core.diagnostics import Diagnostic, Span, did_you_mean, join_names
from dotnn.model.synonyms import suggest

ARTICLE_AN = tuple("aeio")


class Fail(Exception):
    """Carries one diagnostic out of an expression; the statement that contains it is given up."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


def a(word: str) -> str:
    """Return the word behind its article: `an activation`."""
    return f"{'an' if word.startswith(ARTICLE_AN) else 'a'} {word}"


def several(count: int, word: str) -> str:
    """Return `1 value`, `2 values`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


# ------------------------------------------------------------------------------------------- NN20x: names, layers


def unknown_name(span: Span, name: str, known: Iterable[str], help: str = "") -> Diagnostic:
    names = list(known)
    fallback = "define it in `params`, or write a number"
    return Diagnostic("NN201", f'"{name}" is not defined', span, help=help or did_you_mean(name, names) or fallback)


def outside_the_block(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN201", f'"{name}" is not defined inside this block', span,
        help=f"a block sees only what is passed to it: declare a second input, and pass {name} at the call",
    )  # fmt: skip


def unknown_layer(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("NN202", f'there is no layer called "{name}"', span, help=suggest(name, known))


def unknown_argument(span: Span, owner: str, name: str, known: Sequence[str]) -> Diagnostic:
    help = suggest(name, known) if known else f"{owner} takes no arguments"
    return Diagnostic("NN203", f'{owner} has no argument "{name}"', span, help=help)


def shape_mismatch(span: Span, message: str, note: str, help: str) -> Diagnostic:
    return Diagnostic("NN204", message, span, note, help or "change the shape of what comes in, or this call")


def duplicate_name(span: Span, name: str, line: int) -> Diagnostic:
    return Diagnostic(
        "NN205", f'"{name}" is defined twice', span, f"first defined in line {line}",
        "a name stands for one thing: give one of them another name",
    )  # fmt: skip


def duplicate_key(span: Span, name: str, line: int) -> Diagnostic:
    return Diagnostic(
        "NN205", f'"{name}" is set twice', span, f"first set in line {line}", "delete one of the two lines"
    )


def name_is_parameter(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN205", f'"{name}" is defined twice: it is a parameter already', span, help="give one of them another name"
    )


def cycle(span: Span, names: Sequence[str]) -> Diagnostic:
    path = ", ".join(f"{a} needs {b}" for a, b in zip(names, [*names[1:], names[0]], strict=True))
    itself = f"a name stands for one value: call the new one {names[0]}2, or start from an input"
    around = "break the circle: a line can only use values that are computed without it"
    return Diagnostic(
        "NN206", f"these definitions depend on each other in a circle: {path}", span,
        help=itself if len(names) == 1 else around,
    )  # fmt: skip


UNUSED = {
    "value": "use it in another line, make it an output, or delete the line",
    "layer": "pipe a value into it: x -> {name}; or delete the line",
    "input": "pipe it into a layer, or delete the line",
    "target": "compare an output with it in the loss: loss = mse(y, {name}); or delete the line",
    "parameter": "write it where its value belongs, or delete it",
    "block": "use it in the model: x -> {name}; or delete it",
}


def unused_value(span: Span, name: str, what: str) -> Diagnostic:
    return Diagnostic("NN207", f'the {what} "{name}" is never used', span, help=UNUSED[what].replace("{name}", name))


def wrong_kind(span: Span, owner: str, name: str, expected: str, found: str, help: str = "") -> Diagnostic:
    return Diagnostic("NN208", f'{owner}: "{name}" must be {expected}, {found}', span, help=help)


def missing_argument(span: Span, owner: str, name: str, doc: str) -> Diagnostic:
    return Diagnostic("NN209", f'{owner} needs the argument "{name}" ({doc})', span, help=f"write {owner}({name} = …)")


def missing_block_argument(span: Span, block: str, name: str) -> Diagnostic:
    return Diagnostic(
        "NN209", f'block {block} needs the argument "{name}"', span,
        help=f"write {block}({name} = …), or give it a default in the block: block {block}({name} = 1)",
    )  # fmt: skip


def too_many_arguments(span: Span, owner: str, names: Sequence[str]) -> Diagnostic:
    takes = f"takes {join_names(names)}" if names else "takes no arguments"
    return Diagnostic("NN210", f"{owner} has too many arguments", span, help=f"{owner} {takes}")


def shared_arguments(span: Span, name: str, line: int) -> Diagnostic:
    return Diagnostic(
        "NN210", f"the shared layer {name} takes no arguments here", span, f"it got them in line {line}",
        f"write just {name}; for another width define another layer",
    )  # fmt: skip


def repeated_argument(span: Span, owner: str, name: str) -> Diagnostic:
    return Diagnostic("NN210", f'{owner} is given "{name}" twice', span, help="delete one of them")


def repeat_form(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN210",
        "repeat takes a count and what is to be repeated",
        span,
        help="for instance: x -> repeat(3, dense(8, relu))",
    )


def not_a_layer(span: Span, name: str, what: str) -> Diagnostic:
    return Diagnostic(
        "NN211", f'"{name}" is {what}, not a layer', span,
        help="a pipe `->` leads into layers; to join values write a + b, a * b or concat(a, b)",
    )  # fmt: skip


def layer_without_input(span: Span, name: str, call: str) -> Diagnostic:
    return Diagnostic("NN212", f"{name} is a layer without an input", span, help=f"pipe a value into it: x -> {call}")


def wrong_arity(span: Span, name: str, expected: str, found: int, help: str) -> Diagnostic:
    return Diagnostic("NN213", f"{name} takes {expected}, but gets {found}", span, help=help)


def not_a_value(span: Span, found: str, help: str = "") -> Diagnostic:
    return Diagnostic(
        "NN214", f"a value of the network is needed here, not {found}", span,
        help=help or "values are the inputs and what layers make of them, such as x -> dense(3)",
    )  # fmt: skip


def shared_is_one_layer(span: Span, found: str) -> Diagnostic:
    return Diagnostic(
        "NN215", f"a shared layer is one layer, not {found}", span,
        help="for instance: layer s = dense(64, relu); for more than one write a `layer` line each",
    )  # fmt: skip


# ----------------------------------------------------------------------------------------- NN21x-23x: sections etc.


def duplicate_section(span: Span, keyword: str, line: int) -> Diagnostic:
    help = "a spec holds one model: delete one of them" if keyword == "model" else "write all its lines in one section"
    return Diagnostic("NN220", f"there is a second `{keyword}` section", span, f"the first is in line {line}", help)


def statement_not_allowed(span: Span, what: str, section: str, help: str) -> Diagnostic:
    return Diagnostic("NN221", f"{what} does not belong in a `{section}` section", span, help=help)


def missing_section(span: Span | None, keyword: str, example: str) -> Diagnostic:
    return Diagnostic("NN222", f"the spec has no `{keyword}` section", span, help=f"add one: {example}")


def no_output(span: Span) -> Diagnostic:
    return Diagnostic("NN223", "the model has no output", span, help="mark one: output y = h -> dense(1)")


def no_input(span: Span) -> Diagnostic:
    return Diagnostic("NN223", "the model has no input", span, help="declare one: input x: [2]")


def output_needs_name(span: Span) -> Diagnostic:
    return Diagnostic("NN224", "this output has no name", span, help="the loss needs one: output y = …")


def block_needs_one_output(span: Span, name: str, found: int) -> Diagnostic:
    help = "mark one: output h = …" if not found else "keep one; join the others into it with concat, or use two blocks"
    return Diagnostic("NN225", f"a block has exactly one output, but {name} has {found or 'none'}", span, help=help)


def block_shape(span: Span, block: str, name: str, expected: str, found: str, note: str) -> Diagnostic:
    return Diagnostic(
        "NN226", f"block {block}: its input {name} is declared {expected}, but receives {found}", span, note,
        "pass a value of the declared shape, or change the declaration in the block",
    )  # fmt: skip


def recursive_block(span: Span, names: Sequence[str]) -> Diagnostic:
    through = f" through {', '.join(names[1:])}" if len(names) > 1 else ""
    return Diagnostic(
        "NN227", f"block {names[0]} uses itself{through}: it would never end", span,
        help="for a chain of copies write x -> repeat(3, Block) in the model",
    )  # fmt: skip


def shared_shape(span: Span, name: str, first: str, found: str, line: int) -> Diagnostic:
    return Diagnostic(
        "NN228", f"the shared layer {name} was first used on {first} (line {line}), here on {found}", span,
        help="one set of weights fits one input width; make the widths equal or use two layers",
    )  # fmt: skip


def reserved_name(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN229", f'"{name}" has a meaning of its own (a layer, a block or a word of the language)', span,
        help=f"choose another name, such as {name}1",
    )  # fmt: skip


def bad_declaration(span: Span, message: str, help: str) -> Diagnostic:
    return Diagnostic("NN230", message, span, help=help)


def limit(span: Span, message: str, help: str = "make it smaller") -> Diagnostic:
    return Diagnostic("NN231", message, span, help=help)


def bad_constant(span: Span, message: str, help: str, note: str = "") -> Diagnostic:
    return Diagnostic("NN232", message, span, note, help)


def out_of_range(span: Span, name: str, value: str, limits: str, line: int) -> Diagnostic:
    return Diagnostic(
        "NN233", f"{name} = {value} is outside its limits {limits}", span, f"the limits stand in line {line}",
        "choose a value within the limits, or widen them",
    )  # fmt: skip


def unknown_set(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    help = did_you_mean(name, known) or f"it has none; add params {{ {name} = … }} and use {name} in the model"
    return Diagnostic("NN234", f'--set: the spec has no parameter "{name}" in `params`', span, help=help)


def set_syntax(span: Span, text: str) -> Diagnostic:
    return Diagnostic("NN235", f'--set needs name=value, not "{text}"', span, help="for instance --set lr=0.1")


def set_twice(span: Span, name: str) -> Diagnostic:
    return Diagnostic("NN235", f"--set gives {name} twice", span, help="only one of the values can hold: delete one")


# ------------------------------------------------------------------------------------------------- NN30x: train


def missing_key(span: Span, section: str, key: str, example: str) -> Diagnostic:
    return Diagnostic("NN301", f'`{section}` needs the key "{key}"', span, help=f"for instance: {example}")


def unknown_key(span: Span, section: str, key: str, known: Sequence[str], help: str = "") -> Diagnostic:
    return Diagnostic("NN302", f'`{section}` has no key "{key}"', span, help=help or suggest(key, known))


def unknown_entry(span: Span, family: str, name: str, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("NN303", f'"{name}" is not {a(family)}', span, help=suggest(name, known))


def needs_entry(span: Span, family: str, found: str, help: str, known: Iterable[str]) -> Diagnostic:
    return Diagnostic(
        "NN303",
        f"{a(family)} is needed here, not {found}",
        span,
        help=help or f"known here: {join_names(sorted(known))}",
    )


def loss_form(span: Span, message: str, help: str) -> Diagnostic:
    return Diagnostic("NN304", message, span, help=help)


def loss_target(span: Span, message: str, note: str, help: str) -> Diagnostic:
    return Diagnostic("NN305", message, span, note, help)


def loss_output(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic("NN306", f'"{name}" is not an output or value of the model', span, help=did_you_mean(name, known))


def loss_swapped(span: Span, target: str, output: str) -> Diagnostic:
    return Diagnostic(
        "NN306", f'"{target}" is a target, but the output comes first', span, help=f"swap them: ({output}, {target})"
    )


def loss_target_name(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    none = "the model has no target; declare one: target t: [1]"
    return Diagnostic("NN306", f'"{name}" is not a target of the model', span, help=did_you_mean(name, known) or none)


HOLDS = {
    "real": "any numbers", "unit": "numbers from 0 to 1", "sign": "-1 and +1", "class": "classes",
    "distribution": "probabilities", "binary": "0 and 1",
}  # fmt: skip


def metric_target(
    span: Span, metric: str, target: str, kind: str, fits: Sequence[str], others: Sequence[str]
) -> Diagnostic:
    return Diagnostic(
        "NN307", f'{metric} cannot be computed for the target "{target}", which holds {HOLDS[kind]}', span,
        help=f"for such a target there are {join_names(others)}; {metric} is for {', '.join(HOLDS[k] for k in fits)}",
    )  # fmt: skip


def metric_argument(span: Span, metric: str, argument: str, target: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "NN307", f'{metric} takes no {argument} for the target "{target}", which holds {HOLDS[kind]}', span,
        help=f"delete it; {argument} is for classes",
    )  # fmt: skip


def class_weights(span: Span, found: int, classes: int) -> Diagnostic:
    return Diagnostic(
        "NN313", f"there are {several(found, 'weight')} for {classes} classes", span,
        help="give one weight for each class, in the order of their numbers",
    )  # fmt: skip


def checkpoint_form(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN311", "a checkpoint is every(epochs, keep = last or best)", span,
        help="for instance: checkpoint = every(1), or every(5, keep = best)",
    )  # fmt: skip


def ends_swapped(span: Span, owner: str, low: str, high: str) -> Diagnostic:
    return Diagnostic(
        "NN312", f"{owner}: no number lies between {low} and {high}, its ends are swapped", span,
        help=f"write {owner}({high}, {low})",
    )  # fmt: skip


def stop_form(span: Span, help: str) -> Diagnostic:
    return Diagnostic(
        "NN308",
        "a stop rule is when(quantity < number), early(quantity, patience = n) or minutes(n)",
        span,
        help=help,
    )


def several_early(span: Span, help: str) -> Diagnostic:
    return Diagnostic("NN308", "there is more than one early(…)", span, help=help)


def stop_quantity(span: Span, name: str, known: Sequence[str], metrics: Iterable[str]) -> Diagnostic:
    plain = name.removeprefix("val_")
    if plain in metrics and plain not in known:
        help = f"report it: metrics = [{plain}]"
    elif name.startswith("val_") and plain in known:
        help = "it needs validation data: data { split = split(train = 80%, val = 20%) }"
    else:
        help = did_you_mean(name, known)
    return Diagnostic("NN309", f'"{name}" is not reported in this training', span, help=help)


# -------------------------------------------------------------------------------------------------- NN32x: data


def data_name(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic("NN320", f'"{name}" is neither an input nor a target', span, help=did_you_mean(name, known))


def data_missing(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "NN321", f"the data section gives nothing for {join_names(names)}", span,
        help=f"every input and target needs an array, {names[0]} = [[…], …], or a place in the source",
    )  # fmt: skip


def source_form(span: Span, message: str, known: str = "") -> Diagnostic:
    example = 'for instance: source = csv("iris.csv", x = [sepal_length, sepal_width], y = species)'
    return Diagnostic("NN322", message, span, help=known or example)


def columns_shape(span: Span, name: str, shape: str, wanted: int, found: int) -> Diagnostic:
    given = f"{found} is given" if found == 1 else f"{found} are given"
    return Diagnostic(
        "NN323", f"{name} has shape {shape}: it takes {several(wanted, 'column')}, but {given}", span,
        help="name one column for each number, or change the declared shape",
    )  # fmt: skip


def columns_rank(span: Span, name: str, shape: str) -> Diagnostic:
    return Diagnostic(
        "NN323", f"{name} has shape {shape}, which the columns of a table cannot hold", span,
        help=f'store it as an array: npz("file.npz", {name} = key); or declare one axis and reshape it in the model',
    )  # fmt: skip


def scale_form(span: Span, help: str) -> Diagnostic:
    return Diagnostic(
        "NN324", "a scale is range(names), standard(names) or divide(number, names), or a list of them", span, help=help
    )


def scale_target(span: Span, name: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "NN325",
        f'"{name}" holds {kind}, which cannot be scaled',
        span,
        help="scale inputs and targets of real numbers only",
    )


def split_form(span: Span, message: str, help: str = "") -> Diagnostic:
    return Diagnostic("NN326", message, span, help=help or "for instance: split(train = 80%, val = 10%, test = 10%)")


def inline_data(span: Span, message: str, note: str = "", help: str = "") -> Diagnostic:
    return Diagnostic("NN327", message, span, note, help or "one row per example: x = [[0, 0], [0, 1]]")


def inline_and_source(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "NN328", "give either arrays or a source, not both", span, f"there are arrays for {join_names(names)}",
        "delete the source, or the arrays",
    )  # fmt: skip
