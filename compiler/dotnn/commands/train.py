"""`dotnn train`: compile, train, keep the result."""

from __future__ import annotations

from typing import Any

import click

from dotnn.commands.options import (
    FILE,
    PRECISIONS,
    SEED,
    json_option,
    refuse_for_other_targets,
    set_option,
    spec_argument,
    style_option,
    target_option,
)


@click.command("train")
@spec_argument
@target_option
@click.option("--run", "run_dir", metavar="DIR", type=FILE, help="The run folder. Default: a new one in runs/.")
@click.option("--data", metavar="PATH", type=FILE, help="The data file, or the folder that holds it.")
@style_option("fast")
@click.option("--epochs", type=click.IntRange(1), help="The number of epochs, instead of the spec's.")
@click.option("--seed", type=SEED, help="The seed of the training, instead of the spec's.")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=PRECISIONS[0],
    show_default=True,
    help="What to compute in; the mixed ones are TensorFlow's.",
)
@click.option("--resume", is_flag=True, help="Continue from the run's last checkpoint, if there is one.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in the same folder.")
@json_option
@set_option
def command(spec: str, sets: tuple[str, ...], **options: Any) -> int:
    """Compile, train, and write the run folder."""
    refuse_for_other_targets(options["target"], "style")
    if options["precision"].startswith("mixed") and options["target"] == "numpy":
        raise click.UsageError(f"--precision {options['precision']} needs --target tensorflow")
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
    from dotnn.session import front

    model, warnings = front(spec, sets)
    warn(warnings)
    choose_threads(model)  # before NumPy is imported
    from dotnn.commands.training.run import Request, train_model

    return train_model(model, Request(sets=sets, **options))
