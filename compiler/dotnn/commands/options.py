"""Arguments and options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from dotnn.targets import PROVEN, TARGETS, Option, Style, Target

Command = TypeVar("Command", bound=Callable[..., object])


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
precisions = list(dict.fromkeys(name for target in TARGETS.values() for name in target.precisions))
precision_option = click.option(
    "--precision",
    type=click.Choice(precisions),
    default=PROVEN.precisions[0],
    show_default=True,
    help="What to compute in; not every target knows all of them.",
)


class TargetName(click.Choice):  # type: ignore[type-arg]
    """The name of a target; one that dotnn lacks may be that of a package, which the spec must use."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name. Raises `click.BadParameter` for one that no package has."""
        from dotnn.model.packages import join_all

        if value not in TARGETS:
            join_all()
        return value if value in TARGETS else str(super().convert(value, param, ctx))


target_option = click.option(
    "--target", type=TargetName([*TARGETS]), default=PROVEN.name, show_default=True, help="What to generate."
)


def style_option(default: Style) -> Callable[[Command], Command]:
    """Return the option that chooses the style of a script, of the targets that have several."""
    styled = [target for target in TARGETS.values() if target.has_styles]
    return click.option(
        "--style",
        type=click.Choice(list(dict.fromkeys(style.name for target in styled for style in target.styles))),
        default=default.name,
        show_default=True,
        help=f"{_only(styled)}: {', '.join(f'{s.name} is written {s.purpose}' for s in PROVEN.styles)}.",
    )


def own_options(command: Command) -> Command:
    """Add the options that only some targets have."""
    owners: dict[Option, list[Target]] = {}
    for target in TARGETS.values():
        for option in target.options:
            owners.setdefault(option, []).append(target)
    for option, targets in reversed(owners.items()):
        type = click.Choice(option.choices) if option.choices else None
        help = f"{_only(targets)}: {option.help}"
        command = click.option(option.flag, help=help, type=type, is_flag=type is None)(command)
    return command


def _only(targets: Sequence[Target]) -> str:
    return f"{' and '.join(target.title for target in targets)} only"


def refuse_what_does_not_apply(target: Target, style: Style) -> None:
    """Refuse options that mean nothing to a target, or to its style. Raises `click.UsageError`."""
    context = click.get_current_context()
    _refuse_what_the_style_lacks(context, target, style)
    for option in ["style", *(o.name for other in TARGETS.values() for o in other.options)]:
        if _is_given(context, option) and not target.takes(option):
            raise _not_for("target", target.name, option, [t.name for t in TARGETS.values() if t.takes(option)])


def _refuse_what_the_style_lacks(context: click.Context, target: Target, style: Style) -> None:
    for option in style.lacks:
        if context.params.get(option):
            others = [other.name for other in target.styles if option not in other.lacks]
            raise _not_for("style", style.name, option, others)


def _is_given(context: click.Context, option: str) -> bool:
    return context.get_parameter_source(option) not in (None, click.core.ParameterSource.DEFAULT)


def _not_for(kind: str, name: str, option: str, others: Sequence[str]) -> click.UsageError:
    """Return the error for an option that the target or style of this name does not take, but only `others` do."""
    flag, only = f"--{option.replace('_', '-')}", " or ".join(others)
    return click.UsageError(f"{flag} does not apply to --{kind} {name}, only to --{kind} {only}")
