"""Files of definitions that a spec uses (NN236 to NN239)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from dotnn.core.diagnostics import Diagnostic, Span, closest, did_you_mean

HELP = 'name a file of definitions beside the spec, such as use "mine.nn"'


def other_section(span: Span, keyword: str, file: str) -> Diagnostic:
    help = "what is used holds definitions: activations, losses, blocks, optimizers, …; the rest belongs in the spec"
    return Diagnostic("NN236", f"{file} is used, and has a `{keyword}` section", span, help=help)


def circle(span: Span, files: Sequence[str]) -> Diagnostic:
    path = ", ".join(f"{a} uses {b}" for a, b in pairwise(files))
    help = "put what both need into a third file"
    return Diagnostic("NN237", f"these files use each other in a circle: {path}", span, help=help)


def too_many(span: Span, most: int) -> Diagnostic:
    return Diagnostic("NN231", f"a spec uses at most {most:,} files", span, help="put the definitions into fewer files")


def no_library(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    if name.endswith(".nn"):
        return Diagnostic("NN238", f"{name} is the name of a file", span, help=f'a file goes in quotes: use "{name}"')
    return Diagnostic("NN238", f"there is no library {name}", span, help=did_you_mean(name, known) or HELP)


def no_package(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    near = closest(name, known)
    help = f'did you mean "{near}"?' if near else "install it; it is known by its entry point dotnn.members"
    message = f"no package {name} with members for dotnn is installed"
    return Diagnostic("NN238", message, span, help=help)


def bad_package(span: Span, name: str, reason: str) -> Diagnostic:
    return Diagnostic("NN238", f"the package {name} cannot be used: {reason}", span, help="ask who wrote it")


def target_of_a_package(name: str, package: str) -> Diagnostic:
    message = f"the target {name} is of the package {package}, which the spec does not use"
    return Diagnostic("NN238", message, help=f"begin the spec with: use {package}")


def wrong_ending(span: Span, name: str) -> Diagnostic:
    return Diagnostic("NN239", f'"{name}" is no file of definitions: its name does not end in .nn', span, help=HELP)


def unreadable(span: Span, name: str, reason: str) -> Diagnostic:
    return Diagnostic("NN239", f'"{name}" cannot be read: {reason}', span, help=HELP)
