"""`dotnn generate`: what a network that was taught what comes next says, step after step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dotnn.commands.options import FILE, SEED, json_option

LENGTH = 200


@click.command("generate")
@click.argument("run", metavar="RUN", type=FILE)
@click.option("--prompt", metavar="TEXT", help="What it goes on from. Default: the beginning of the run's text.")
@click.option("--length", type=click.IntRange(1), help=f"How many units follow.  [default: {LENGTH}]")
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    type=FILE,
    help="Inputs to answer to, CSV or .npz, for a network that was taught with the right step before.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(0, 1e6),
    help="0: always the likeliest; below 1 the likely ones more often.  [default: 1, with --input 0]",
)
@click.option("--top-k", type=click.IntRange(1), help="Draw among so many of the likeliest only.")
@click.option("--seed", type=SEED, help="Seed of the draws. Default: the spec's.")
@click.option("-o", "--output", metavar="FILE", type=FILE, help="The file to write. Default, and -: stdout.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
@json_option
def command(run: str, as_json: bool, **options: Any) -> None:
    """Continue a text, or answer step by step, with a finished run that was taught what comes next."""
    from dotnn.commands.seeing.run import Run
    from dotnn.running.run_contents import faults_of_runs, warn_of_divergence

    _refuse(options)
    found = Run.open(run)
    with faults_of_runs():
        warn_of_divergence(found.folder)
    if options["input_file"] is None:
        _continue(found, options, as_json)
    else:
        _answer(found, options, as_json)


def _refuse(options: dict[str, Any]) -> None:
    if options["temperature"] is not None and options["temperature"] != options["temperature"]:
        raise click.BadParameter("nan is no number", param_hint="--temperature")
    for name in ("prompt", "length"):
        if options["input_file"] is not None and options[name] is not None:
            raise click.UsageError(f"--{name} is for texts: with --input FILE the network has as many steps as it has")


def _continue(run: Any, options: dict[str, Any], as_json: bool) -> None:
    from dotnn.commands.seeing.generate import generated
    from dotnn.reports.console import show_json
    from dotnn.running.generation import Choice
    from dotnn.running.output import check_output, write_text

    path = Path(options["output"]) if options["output"] not in (None, "-") else None
    temperature = options["temperature"]
    if path is not None:
        check_output(path, force=options["force"])
    choice = Choice(1.0 if temperature is None else temperature, options["top_k"])
    written = generated(run, options["prompt"], options["length"] or LENGTH, choice, options["seed"])
    if as_json:
        show_json(written.as_json())
    elif path is not None:
        write_text(written.text + "\n", path)
    else:
        click.echo(written.text)


def _answer(run: Any, options: dict[str, Any], as_json: bool) -> None:
    from dotnn.commands.seeing.answer import answered
    from dotnn.reports.console import show_json
    from dotnn.running.generation import Choice
    from dotnn.running.run_contents import faults_of_runs
    from dotnn_runtime.script.predictions import write_predictions

    choice = Choice(options["temperature"] or 0.0, options["top_k"])
    found = answered(run, options["input_file"], choice, options["seed"])
    if as_json:
        show_json({name: values.tolist() for name, values in found.items()})
    else:
        with faults_of_runs():
            write_predictions(found, options["output"], overwrite=options["force"])
