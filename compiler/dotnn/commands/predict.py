"""`dotnn predict`: what a finished run makes of other inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dotnn.commands.options import FILE, SEED

if TYPE_CHECKING:
    from dotnn.running.requirement import Requirement


@click.command("predict")
@click.argument("run", metavar="RUN", type=FILE)
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    type=FILE,
    required=True,
    help="The inputs: CSV with a header, or .npz; - is stdin.",
)
@click.option(
    "-o", "--output", metavar="FILE", type=FILE, help="The file to write, CSV or .npz. Default, and -: CSV on stdout."
)
@click.option("--force", is_flag=True, help="Overwrite the output file.")
@click.option("--seed", type=SEED, default=None, help="Seed of what the network draws. Default: the spec's.")
@click.option(
    "--passes",
    type=click.IntRange(2, 10_000),
    default=None,
    help="Predict so often, where the network draws: the mean, and the spread as OUTPUT_spread.",
)
def command(run: str, input_file: str, output: str | None, force: bool, seed: int | None, passes: int | None) -> None:
    """Predict with a finished run, in the target's own units."""
    from dotnn.running.predictions import predict_run

    predict_run(run, input_file, output, force, _needs, seed, passes or 0)


def _needs(script: str) -> Requirement | None:
    """Return what must be installed to run a script."""
    from dotnn.codegen.heading import read_heading
    from dotnn.targets import TARGETS

    target = TARGETS.get(read_heading(script).get("target", ""))
    return target.needs if target else None
