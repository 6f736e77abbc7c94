"""Every semantic error and warning: one function each, span first. All wording of the model stage is in this file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dotnn.diagnostics import Diagnostic, Span, did_you_mean, join_names


class Fail(Exception):
    """Carries one diagnostic out of an expression; the statement that contains it is given up."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


# ------------------------------------------------------------------------------------------- NN20x: names, layers


def unknown_name(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("NN201", f'"{name}" is not defined', span, help=did_you_mean(name, known))


def unknown_layer(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("NN202", f'there is no layer called "{name}"', span, help=did_you_mean(name, known))


def unknown_argument(span: Span, owner: str, name: str, known: Sequence[str]) -> Diagnostic:
    help = did_you_mean(name, known) if known else f"{owner} takes no arguments"
    return Diagnostic("NN203", f'{owner} has no argument "{name}"', span, help=help)


def shape_mismatch(span: Span, message: str, note: str, help: str) -> Diagnostic:
    return Diagnostic("NN204", message, span, note, help)


def duplicate_name(span: Span, name: str, line: int) -> Diagnostic:
    return Diagnostic(
        "NN205", f'"{name}" is defined twice', span, f"first defined in line {line}", "give one of them another name"
    )


def cycle(span: Span, names: Sequence[str]) -> Diagnostic:
    path = " -> ".join((*names, names[0]))
    return Diagnostic(
        "NN206", f"these definitions depend on each other in a circle: {path}", span,
        help="a network must be acyclic; recurrence over time is written with a recurrent layer",
    )  # fmt: skip


def unused_value(span: Span, name: str, what: str) -> Diagnostic:
    return Diagnostic(
        "NN207", f'{what} "{name}" is never used', span, help="use it, make it an output, or delete the line"
    )


def wrong_kind(span: Span, owner: str, name: str, expected: str, found: str, help: str = "") -> Diagnostic:
    return Diagnostic("NN208", f'{owner}: "{name}" must be {expected}, not {found}', span, help=help)


def missing_argument(span: Span, owner: str, name: str, doc: str) -> Diagnostic:
    return Diagnostic("NN209", f'{owner} needs the argument "{name}" ({doc})', span, help=f"{owner}({name} = …)")


def too_many_arguments(span: Span, owner: str, names: Sequence[str]) -> Diagnostic:
    takes = f"takes {join_names(names)}" if names else "takes no arguments"
    return Diagnostic("NN210", f"{owner} has too many arguments", span, help=f"{owner} {takes}")


def repeated_argument(span: Span, owner: str, name: str) -> Diagnostic:
    return Diagnostic("NN210", f'{owner} is given "{name}" twice', span, help="delete one of them")


def not_a_layer(span: Span, name: str, what: str) -> Diagnostic:
    return Diagnostic(
        "NN211", f'"{name}" is {what}, not a layer', span,
        help="a pipe `->` leads into layers; to join values write a + b, a * b or concat(a, b)",
    )  # fmt: skip


def layer_without_input(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN212", f"{name} is a layer without an input", span, help=f"pipe a value into it: x -> {name}(…)"
    )


def wrong_arity(span: Span, name: str, expected: str, found: int) -> Diagnostic:
    return Diagnostic("NN213", f"{name} joins {expected} values, but {found} {'is' if found == 1 else 'are'} given", span)


def not_a_value(span: Span, what: str, found: str) -> Diagnostic:
    return Diagnostic("NN214", f"{what} must be a value of the network, not {found}", span)


# ----------------------------------------------------------------------------------------- NN21x-23x: sections etc.


def duplicate_section(span: Span, keyword: str, line: int) -> Diagnostic:
    return Diagnostic(
        "NN220", f"there is a second `{keyword}` section", span, f"the first is in line {line}", "merge the two"
    )


def statement_not_allowed(span: Span, what: str, section: str) -> Diagnostic:
    return Diagnostic("NN221", f"{what} does not belong in a `{section}` section", span)


def missing_section(span: Span | None, keyword: str, example: str) -> Diagnostic:
    return Diagnostic("NN222", f"the spec has no `{keyword}` section", span, help=f"add one: {example}")


def no_output(span: Span) -> Diagnostic:
    return Diagnostic("NN223", "the model has no output", span, help="mark one: output y = h -> dense(1)")


def no_input(span: Span) -> Diagnostic:
    return Diagnostic("NN223", "the model has no input", span, help="declare one: input x: [2]")


def output_needs_name(span: Span) -> Diagnostic:
    return Diagnostic("NN224", "this output has no name", span, help="write: output y = …")


def block_needs_one_output(span: Span, name: str, found: int) -> Diagnostic:
    return Diagnostic("NN225", f"block {name} must have exactly one output, it has {found}", span)


def block_shape(span: Span, block: str, name: str, expected: str, found: str) -> Diagnostic:
    return Diagnostic(
        "NN226", f"block {block}: its input {name} is declared {expected}, but receives {found}", span,
        help="pass a value of the declared shape, or change the declaration in the block",
    )  # fmt: skip


def recursive_block(span: Span, name: str) -> Diagnostic:
    return Diagnostic("NN227", f"block {name} uses itself", span, help="use repeat(n, …) for a chain of copies")


def shared_shape(span: Span, name: str, first: str, found: str, line: int) -> Diagnostic:
    return Diagnostic(
        "NN228", f"the shared layer {name} was first used on {first} (line {line}), here on {found}", span,
        help="one set of weights fits one input width; make the widths equal or use two layers",
    )  # fmt: skip


def reserved_name(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN229", f'"{name}" is the name of a layer or function of the language', span, help="choose another name"
    )


def bad_declaration(span: Span, message: str, help: str) -> Diagnostic:
    return Diagnostic("NN230", message, span, help=help)


def limit(span: Span, message: str, help: str = "") -> Diagnostic:
    return Diagnostic("NN231", message, span, help=help)


def bad_constant(span: Span, message: str, help: str = "") -> Diagnostic:
    return Diagnostic("NN232", message, span, help=help)


def out_of_range(span: Span, name: str, value: str, limits: str) -> Diagnostic:
    return Diagnostic("NN233", f"{name} = {value} is outside its limits {limits}", span)


def unknown_set(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    return Diagnostic(
        "NN234", f'--set: the spec has no parameter "{name}" in `params`', span, help=did_you_mean(name, known)
    )


def set_syntax(span: Span, text: str) -> Diagnostic:
    return Diagnostic("NN235", f'--set needs name=value, not "{text}"', span, help="for instance --set lr=0.1")


# ------------------------------------------------------------------------------------------------- NN30x: train


def missing_key(span: Span, section: str, key: str, example: str) -> Diagnostic:
    return Diagnostic("NN301", f'`{section}` needs the key "{key}"', span, help=f"for instance: {example}")


def unknown_key(span: Span, section: str, key: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic("NN302", f'`{section}` has no key "{key}"', span, help=did_you_mean(key, known))


def unknown_entry(span: Span, family: str, name: str, known: Iterable[str]) -> Diagnostic:
    article = "an" if family[0] in "aeio" else "a"
    return Diagnostic("NN303", f'"{name}" is not {article} {family}', span, help=did_you_mean(name, known))


def loss_form(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN304", "a loss is written loss(output, target), or as a weighted sum of such terms", span,
        help="for instance: loss = 0.3 * mse(a, t1) + bce(p, t2)",
    )  # fmt: skip


def loss_target(span: Span, message: str, help: str) -> Diagnostic:
    return Diagnostic("NN305", message, span, help=help)


def loss_output(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic("NN306", f'"{name}" is not an output or value of the model', span, help=did_you_mean(name, known))


def loss_target_name(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic("NN306", f'"{name}" is not a target of the model', span, help=did_you_mean(name, known))


def metric_target(span: Span, metric: str, target: str, kind: str, fitting: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "NN307", f'{metric} is not defined for the target "{target}" ({kind})', span,
        help=f"it fits targets of these kinds: {join_names(fitting)}",
    )  # fmt: skip


def stop_form(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN308", "a stop rule is when(quantity < number) or early(quantity, patience = n)", span,
        help="quantities are loss, val_loss and the metrics, such as val_accuracy",
    )  # fmt: skip


def stop_quantity(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "NN309", f'"{name}" is not reported in this training', span,
        help=did_you_mean(name, known)
        if not name.startswith("val_")
        else "it needs validation data: data { split = split(train = 80%, val = 20%) }",
    )  # fmt: skip


# -------------------------------------------------------------------------------------------------- NN32x: data


def data_name(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic("NN320", f'"{name}" is neither an input nor a target', span, help=did_you_mean(name, known))


def data_missing(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "NN321", f"the data section gives nothing for {join_names(names)}", span,
        help="every input and target needs an array or a column",
    )  # fmt: skip


def source_form(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN322", 'a source is csv("file", x = [columns]) or npz("file", x = key)', span,
        help='for instance: source = csv("iris.csv", x = [sepal_length, sepal_width], y = species)',
    )  # fmt: skip


def columns_shape(span: Span, name: str, shape: str, found: int) -> Diagnostic:
    return Diagnostic("NN323", f"{name} has shape {shape}, but {found} columns are given", span)


def scale_form(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN324", "a scale is range(names), standard(names) or divide(number, names), or a list of them", span,
        help="for instance: scale = range(x, t)",
    )  # fmt: skip


def scale_target(span: Span, name: str, kind: str) -> Diagnostic:
    return Diagnostic("NN325", f'"{name}" holds {kind}, which cannot be scaled', span)


def split_form(span: Span, message: str) -> Diagnostic:
    return Diagnostic("NN326", message, span, help="for instance: split(train = 80%, val = 10%, test = 10%)")


def inline_data(span: Span, message: str) -> Diagnostic:
    return Diagnostic("NN327", message, span, help="one row per example: x = [[0, 0], [0, 1]]")


def inline_and_source(span: Span) -> Diagnostic:
    return Diagnostic("NN328", "give either inline arrays or a source, not both", span)


# ------------------------------------------------------------------------------------------------ NN6xx: warnings


def warn_relu_zero_init(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN601", f"{name} starts at zero in front of a relu: no gradient will ever reach it", span,
        help="use init = he", severity="warning",
    )  # fmt: skip


def warn_dropout_before_output(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN602", "dropout is the last thing before an output", span,
        help="put it before the last dense layer", severity="warning",
    )  # fmt: skip


def warn_softmax_one(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN603", "softmax of a single value is always 1", span, help="use sigmoid and bce", severity="warning"
    )


def warn_not_probability(span: Span, loss: str, output: str) -> Diagnostic:
    activation = "softmax" if loss == "cross_entropy" else "sigmoid"
    return Diagnostic(
        "NN604", f"{loss} needs probabilities, but {output} may lie outside [0, 1]", span,
        help=f"end it with {activation}; the loss is then computed from the logits all the same", severity="warning",
    )  # fmt: skip
