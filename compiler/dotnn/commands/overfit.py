"""`dotnn overfit`: can the network learn a few examples by heart? If not, something is wrong with it."""

from __future__ import annotations

import click

from dotnn.commands.options import FILE, SEED, json_option, set_option, spec_argument


@click.command("overfit")
@spec_argument
@click.option("--examples", type=click.IntRange(1), default=10, show_default=True, help="How many examples.")
@click.option("--epochs", type=click.IntRange(1), default=1000, show_default=True, help="The most epochs to try.")
@click.option("--data", metavar="PATH", type=FILE, help="The data file, or the folder that holds it.")
@click.option("--seed", type=SEED, help="The seed of the training, instead of the spec's.")
@json_option
@set_option
def command(
    spec: str,
    examples: int,
    epochs: int,
    data: str | None,
    seed: int | None,
    as_json: bool,
    sets: tuple[str, ...],
) -> int:
    """Train on a few examples only: a sound network learns them by heart."""
    from dotnn.reports.console import show_json, warn
    from dotnn.running.threads import choose_threads
    from dotnn.session import Compilation

    begun = Compilation.read(spec, sets, data=data)
    warn(begun.warnings)
    choose_threads(begun.model)  # before NumPy is imported
    from dotnn.commands.seeing.overfit import learned_by_heart

    found = learned_by_heart(begun, examples, epochs, data, seed)
    if as_json:
        show_json(found.as_json())
    else:
        click.echo(found.text())
    return 0 if found.is_learned else 1
