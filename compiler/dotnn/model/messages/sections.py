"""Sections and what belongs in them (NN220 to NN225, NN227, NN301, NN302)."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.core.diagnostics import Diagnostic, Span
from dotnn.model.messages.base import a
from dotnn.model.synonyms import suggest


def duplicate_section(span: Span, keyword: str, line: int) -> Diagnostic:
    help = "a spec holds one model: delete one of them" if keyword == "model" else "write all its lines in one section"
    return Diagnostic("NN220", f"there is a second `{keyword}` section", span, f"the first is in line {line}", help)


def statement_not_allowed(span: Span, what: str, section: str, help: str) -> Diagnostic:
    article, _ = a(section).split()
    return Diagnostic("NN221", f"{what} does not belong in {article} `{section}` section", span, help=help)


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


def recursive_block(span: Span, names: Sequence[str], what: str = "block") -> Diagnostic:
    through = f" through {', '.join(names[1:])}" if len(names) > 1 else ""
    return Diagnostic(
        "NN227",
        f"{what} {names[0]} uses itself{through} and would never end",
        span,
        help="for a chain of copies write x -> repeat(3, Block) in the model"
        if what == "block"
        else "a step is computed from the states that the step before has left",
    )


def missing_key(span: Span, section: str, key: str, example: str) -> Diagnostic:
    return Diagnostic("NN301", f'`{section}` needs the key "{key}"', span, help=f"for instance: {example}")


def unknown_key(span: Span, section: str, key: str, known: Sequence[str], help: str = "") -> Diagnostic:
    return Diagnostic("NN302", f'`{section}` has no key "{key}"', span, help=help or suggest(key, known))
