"""`dotnn diff`: do the scripts of a spec train alike on NumPy and TensorFlow?"""

from __future__ import annotations

import click

from dotnn.commands.options import SEED, json_option, set_option, spec_argument


@click.command("diff")
@spec_argument
@json_option
@click.option("--steps", type=click.IntRange(1), default=50, show_default=True, help="How many updates to make.")
@click.option("--seed", type=SEED, default=None, help="Seed of parameters, batches and draws. Default: the spec's.")
@set_option
def command(spec: str, as_json: bool, steps: int, seed: int | None, sets: tuple[str, ...]) -> int:
    """Compare training on NumPy and TensorFlow.

    Both train in double precision, from the same parameters and on the same batches; the first step that differs is
    reported, with the line of the spec. Of sections that take turns each trains as if it were the only one.
    """
    from dotnn.running.threads import use_one_thread

    use_one_thread()
    from dotnn.commands.comparing.sections import compared
    from dotnn.reports.console import show_json, warn
    from dotnn.session import Compilation

    begun = Compilation.read(spec, sets)
    warn(begun.warnings)
    found = compared(begun, steps, begun.model.train.seed if seed is None else seed)
    if as_json:
        show_json(found.to_json())
    else:
        click.echo(found.to_text())
    return int(found.verdict != "PASS")
