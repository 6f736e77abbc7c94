"""Several named `train` sections that take turns (NN337)."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.core.diagnostics import Diagnostic, Span, did_you_mean, join_names
from dotnn.model.synonyms import suggest

CODE = "NN337"


def belongs_to_all(span: Span, key: str, name: str) -> Diagnostic:
    help = f"say it in a section without a name: train {{ {key} = … }}"
    return Diagnostic(CODE, f"`{key}` is for all sections, and cannot be said in `train {name}`", span, help=help)


def one_clock(span: Span, name: str) -> Diagnostic:
    message = f"all sections end by one clock, and `minutes` cannot be said in `train {name}`"
    return Diagnostic(CODE, message, span, help="say it in a section without a name: train { stop = minutes(5) }")


def belongs_to_one(span: Span, key: str, names: Sequence[str]) -> Diagnostic:
    help = f"say it in a section that has one: {join_names([f'train {name}' for name in names])}"
    return Diagnostic(CODE, f"`{key}` is for each section, and cannot be said for all", span, help=help)


def updates_form(span: Span, found: str) -> Diagnostic:
    help = "name layers, blocks or parameters: updates = [critic, h1.W]"
    return Diagnostic(CODE, f"{found} does not name what is to be updated", span, help=help)


def nothing_to_update(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    message = f'"{name}" is neither a parameter that is trained nor what has some'
    return Diagnostic(CODE, message, span, help=suggest(name, known))


def no_updates(span: Span, name: str) -> Diagnostic:
    help = f"name layers, blocks or parameters: train {name} {{ updates = [critic]  … }}"
    return Diagnostic(CODE, f"`train {name}` does not say what it updates", span, help=help)


def updated_twice(span: Span, parameter: str, first: str, second: str) -> Diagnostic:
    message = f"{parameter} is updated by {first} and by {second}"
    return Diagnostic(CODE, message, span, help="leave it to one of them: every parameter has one optimizer")


def updated_by_none(span: Span, parameters: Sequence[str]) -> Diagnostic:
    owner = parameters[0].rpartition(".")[0] or parameters[0]
    help = f"name {owner} in the `updates` of a section, or keep it as it is: train {{ freeze = [{owner}] }}"
    return Diagnostic(CODE, f"no section updates {join_names(parameters)}", span, help=help)


def handed_form(span: Span) -> Diagnostic:
    help = "for instance: output h = x -> dense(8), and gradient(h)"
    return Diagnostic(CODE, "gradient(…) takes the name of an output of the model", span, help=help)


def handed_no_output(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    help = did_you_mean(name, known)
    message = f'gradient({name}) is handed from section to section, but "{name}" is not an output of the model'
    return Diagnostic(CODE, message, span, help=f"write output {name} = … in the model; {help}")


def handed_by_none(span: Span, name: str) -> Diagnostic:
    help = "put a section before this one whose loss is computed of it"
    return Diagnostic(CODE, f"no earlier section has a loss that depends on {name}", span, help=help)


def name_taken(span: Span, name: str) -> Diagnostic:
    return Diagnostic(CODE, f'"{name}" is what a script calls what is handed on', span, help="give it another name")


def no_section(name: str, known: Sequence[str]) -> Diagnostic:
    none = "the spec has one `train`, which has no name: leave --section out"
    help = did_you_mean(name, known) or f"there are {join_names(known)}" if known else none
    return Diagnostic(CODE, f'"{name}" is not a section of the spec', None, help=help)


def nothing_by_heart(span: Span) -> Diagnostic:
    message = "dotnn overfit compares outputs with targets, and no section of this spec has one"
    return Diagnostic(CODE, message, span, help="train it, and look at what it makes: dotnn train, dotnn report")


def no_numbers_of(span: Span, name: str, handed: str) -> Diagnostic:
    message = f"an example has no numbers for `train {name}`, which is handed {handed} by another section"
    return Diagnostic(
        CODE, message, span, help="leave --example, --jacobian and --forward out, or name another --section"
    )


def unwritten(span: Span, target: str, what: str, reason: str) -> Diagnostic:
    message = f"sections that take turns cannot be written for {target} with {what}: {reason}"
    return Diagnostic(CODE, message, span, help="use --target numpy")


def cannot_take_turns(span: Span, what: str, reason: str, help: str) -> Diagnostic:
    return Diagnostic(CODE, f"{what} cannot be used where sections take turns: {reason}", span, help=help)
