"""`dotnn doctor`: what is wrong with a finished run, and what to do about it."""

from __future__ import annotations

import click

from dotnn.commands.options import FILE, json_option


@click.command("doctor")
@click.argument("run", metavar="RUN", type=FILE)
@click.option("--data", metavar="PATH", type=FILE, help="The data file of the training, or the folder that holds it.")
@json_option
def command(run: str, data: str | None, as_json: bool) -> None:
    """Say what is wrong with a finished run, the worst first, each with a fix to try."""
    from dotnn.commands.seeing.look import seen_of
    from dotnn.commands.seeing.run import Run
    from dotnn.reports.console import show_json
    from dotnn.reports.diagnosis import diagnosis_text, vital_signs
    from dotnn.reports.findings import diagnosis

    seen = seen_of(Run.open(run), data)
    faults, signs = diagnosis(seen), vital_signs(seen)
    if as_json:
        layers = [sign.as_json() for sign in signs]
        show_json({"run": seen.name, "findings": [fault.as_json() for fault in faults], "layers": layers})
    else:
        click.echo(diagnosis_text(seen, faults, signs))
