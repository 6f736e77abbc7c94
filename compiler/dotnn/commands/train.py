"""`dotnn train`: compile, train, keep the result."""

from __future__ import annotations

from typing import Any

import click

from dotnn.commands.options import (
    FILE,
    SEED,
    json_option,
    precision_option,
    refuse_what_does_not_apply,
    set_option,
    spec_argument,
    style_option,
    target_option,
)
from dotnn.targets import PROVEN, TARGETS


@click.command("train")
@spec_argument
@target_option
@click.option("--run", "run_dir", metavar="DIR", type=FILE, help="The run folder. Default: a new one in runs/.")
@click.option("--data", metavar="PATH", type=FILE, help="The data file, or the folder that holds it.")
@style_option(PROVEN.styles[-1])
@click.option("--epochs", type=click.IntRange(1), help="The number of epochs, instead of the spec's.")
@click.option("--seed", type=SEED, help="The seed of the training, instead of the spec's.")
@precision_option
@click.option(
    "--init-from", metavar="RUN", type=FILE, help="Begin with the weights of another run, as far as names are the same."
)
@click.option(
    "--snapshots",
    metavar="N",
    type=click.IntRange(1, 100),
    help="Keep the weights after N of the epochs, for dotnn graph --show evolution.",
)
@click.option("--resume", is_flag=True, help="Continue from the run's last checkpoint, if there is one.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in the same folder.")
@json_option
@set_option
def command(spec: str, sets: tuple[str, ...], **options: Any) -> int:
    """Compile, train, and write the run folder."""
    target, precision = TARGETS[options["target"]], options["precision"]
    refuse_what_does_not_apply(target, target.style(options["style"]))
    if precision not in target.precisions:
        raise click.UsageError(f"--precision {precision} does not apply to --target {target.name}")
    if options["resume"] and options["overwrite"]:
        raise click.UsageError("--resume continues a run, --overwrite replaces it: give one of them")
    try:
        return _trained(spec, sets, options)
    except KeyboardInterrupt:  # before the training, or a second Ctrl-C in it
        if options["as_json"]:
            from dotnn.reports.console import show_json

            show_json({"stopped_by": "Ctrl-C"})
        raise


def _trained(spec: str, sets: tuple[str, ...], options: dict[str, Any]) -> int:
    from dotnn.reports.console import warn
    from dotnn.running.threads import choose_threads
    from dotnn.session import Compilation

    begun = Compilation.read(spec, sets, data=options["data"])
    warn(begun.warnings)
    choose_threads(begun.model)  # before NumPy is imported
    from dotnn.commands.training.prepare import Request
    from dotnn.commands.training.run import train_model

    return train_model(begun, Request(**options))
