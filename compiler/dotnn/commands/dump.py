"""`dotnn dump`: any stage of the compiler as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from dotnn.commands.options import refuse_what_does_not_apply, set_option, spec_argument, style_option, target_option
from dotnn.targets import PROVEN, TARGETS, Options, Style, Target

if TYPE_CHECKING:
    from dotnn.passes.base import Pipeline
    from dotnn.session import Compilation


@click.command("dump")
@spec_argument
@click.option(
    "--stage",
    default="model",
    show_default=True,
    metavar="STAGE",
    help="The stage to print: ast, model, ir, passes, one of the passes by its name, placement or schedule.",
)
@target_option
@style_option(PROVEN.styles[0])
@set_option
def command(spec: str, stage: str, target: str, style: str, sets: tuple[str, ...]) -> None:
    """Print a stage of the compiler as readable text."""
    refuse_what_does_not_apply(TARGETS[target], TARGETS[target].style(style))
    chosen = _style_of(stage, TARGETS[target], style)
    known = [*STAGES, *dict.fromkeys(step.name for step in chosen.pipeline(Options())), *chosen.stages]
    if stage not in known:
        raise click.BadParameter(f"{stage!r} is none of {', '.join(known)}", param_hint="--stage")
    from dotnn.session import Compilation

    click.echo(_shown(Compilation.read(spec, sets), stage, TARGETS[target], chosen), nl=False)


def _style_of(stage: str, target: Target, name: str) -> Style:
    """Return the style that is asked for; where nobody asks, the first that has the stage."""
    context = click.get_current_context()
    if context.get_parameter_source("style") is click.core.ParameterSource.DEFAULT:
        return next((style for style in target.styles if stage in style.stages), target.style(name))
    return target.style(name)


def _shown(begun: Compilation, stage: str, target: Target, style: Style) -> str:
    """Return the text of a stage."""
    from dotnn.ir.dump import dump

    pipeline = style.pipeline(Options())
    if stage in STAGES:
        return STAGES[stage](begun, pipeline)
    if stage in style.stages:
        return style.stages[stage](begun.draft(Options(style.name, target=target.name)))
    last = max(number for number, step in enumerate(pipeline, 1) if step.name == stage)
    return dump(begun.after(pipeline[:last]))


def _ast(begun: Compilation, pipeline: Pipeline) -> str:
    from dotnn.syntax.tree import show_tree

    return show_tree(begun.tree)


def _model(begun: Compilation, pipeline: Pipeline) -> str:
    from dotnn.model.describe import describe_model

    return describe_model(begun.model)


def _ir(begun: Compilation, pipeline: Pipeline) -> str:
    from dotnn.ir.dump import dump

    return dump(begun.after(pipeline[:0]))


def _passes(begun: Compilation, pipeline: Pipeline) -> str:
    """Return the graph as the layers wrote it, and after every pass."""
    from dotnn.ir.dump import dump

    names = ["build", *(step.name for step in pipeline)]
    graphs = (begun.after(pipeline[:number]) for number in range(len(names)))
    return "\n".join(f"==== {name}\n{dump(graph)}" for name, graph in zip(names, graphs, strict=True))


STAGES: dict[str, Callable[[Compilation, Pipeline], str]] = {
    "ast": _ast,
    "model": _model,
    "ir": _ir,
    "passes": _passes,
}
"""The stages of every target, but for the single passes."""
