"""Arguments and options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

STYLES = ("explain", "fast")
TARGETS = ("numpy", "tensorflow")
PRECISIONS = ("float32", "float64", "mixed_bfloat16", "mixed_float16")


class FileName(click.ParamType):  # type: ignore[type-arg]
    """The name of a file, taken as it is: `cli` asks the system about it, so that the error is dotnn's own."""

    name = "path"


FILE = FileName()
SEED = click.IntRange(0, 2**32 - 1)
"""A seed as a spec may hold it."""

spec_argument = click.argument("spec", metavar="SPEC", type=FILE)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
set_option = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a parameter of the spec's `params`. May be given several times.",
)
target_option = click.option(
    "--target", type=click.Choice(TARGETS), default="numpy", show_default=True, help="What to generate."
)


def style_option(default: str) -> Decorator:
    """Return the option that chooses the style of a NumPy script."""
    return click.option(
        "--style",
        type=click.Choice(STYLES),
        default=default,
        show_default=True,
        help="NumPy only: explain is written to be read, fast to be run.",
    )


def refuse_for_other_targets(target: str, *options: str) -> None:
    """Refuse options that mean nothing to another target than NumPy. Raises `click.UsageError`."""
    context = click.get_current_context()
    given = [o for o in options if context.get_parameter_source(o) is not click.core.ParameterSource.DEFAULT]
    if target != "numpy" and given:
        flag = given[0].replace("_", "-")
        raise click.UsageError(f"--{flag} does not apply to --target {target}: its scripts have one form")
