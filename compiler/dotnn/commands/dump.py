"""`dotnn dump`: any stage of the compiler as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

from dotnn.commands.options import refuse_what_does_not_apply, set_option, spec_argument, style_option, target_option
from dotnn.targets import PROVEN, TARGETS, Options, Style, Target

if TYPE_CHECKING:
    from dotnn.session import Compilation

FIRST = ("ast", "model", "ir", "passes")
"""The stages of every target, but for the single passes."""


@click.command("dump")
@spec_argument
@click.option(
    "--stage",
    default="model",
    show_default=True,
    metavar="STAGE",
    help="The stage to print: ast, model, ir, passes, one of the passes by its name, or schedule.",
)
@target_option
@style_option(PROVEN.styles[0])
@set_option
def command(spec: str, stage: str, target: str, style: str, sets: tuple[str, ...]) -> None:
    """Print a stage of the compiler as readable text."""
    refuse_what_does_not_apply(TARGETS[target], TARGETS[target].style(style))
    chosen = _style_of(stage, TARGETS[target], style)
    known = [*FIRST, *dict.fromkeys(step.name for step in chosen.pipeline(Options())), *chosen.stages]
    if stage not in known:
        raise click.BadParameter(f"{stage!r} is none of {', '.join(known)}", param_hint="--stage")
    from dotnn.session import Compilation

    click.echo(_shown(Compilation.read(spec, sets), chosen)[stage](), nl=False)


def _style_of(stage: str, target: Target, name: str) -> Style:
    """Return the style that is asked for; where nobody asks, the first that has the stage."""
    context = click.get_current_context()
    if context.get_parameter_source("style") is click.core.ParameterSource.DEFAULT:
        return next((style for style in target.styles if stage in style.stages), target.style(name))
    return target.style(name)


def _shown(begun: Compilation, style: Style) -> Mapping[str, Callable[[], str]]:
    """Return what prints each stage."""
    from dotnn.ir.dump import dump
    from dotnn.model.describe import describe_model
    from dotnn.syntax.tree import show_tree

    pipeline = style.pipeline(Options())

    def after(number: int) -> str:
        return dump(begun.after(pipeline[:number]))

    def passes() -> str:
        parts = [f"==== build\n{after(0)}"]
        return "\n".join(parts + [f"==== {step.name}\n{after(number)}" for number, step in enumerate(pipeline, 1)])

    shown: dict[str, Callable[[], str]] = {
        "ast": lambda: show_tree(begun.tree),
        "model": lambda: describe_model(begun.model),
        "ir": lambda: after(0),
        "passes": passes,
    }
    shown |= {step.name: lambda number=number: after(number) for number, step in enumerate(pipeline, 1)}  # type: ignore[misc]
    shown |= {
        name: lambda show=show: show(begun.model, begun.after(pipeline))  # type: ignore[misc]
        for name, show in style.stages.items()
    }
    return shown
