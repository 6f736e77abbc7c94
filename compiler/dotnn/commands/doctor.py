"""`dotnn doctor`: what is wrong with a finished run, and what to do about it."""

from __future__ import annotations

import click

from dotnn.commands.options import FILE, json_option


@click.command("doctor")
@click.argument("run", metavar="RUN", type=FILE)
@click.option("--data", metavar="PATH", type=FILE, help="The data file of the training, or the folder that holds it.")
@json_option
def command(run: str, data: str | None, as_json: bool) -> None:
    """Say what is wrong with a finished run, or with each member of an ensemble, the worst first, with fixes to try."""
    from dotnn.commands.seeing.ensemble import Ensemble, opened
    from dotnn.commands.seeing.look import seen_of
    from dotnn.reports.console import show_json
    from dotnn.reports.diagnosis import diagnosis_json, diagnosis_text

    found = opened(run)
    each = found.seen(data) if isinstance(found, Ensemble) else [seen_of(found, data)]
    if not as_json:
        click.echo("\n\n".join(map(diagnosis_text, each)))
    elif isinstance(found, Ensemble):
        show_json({"run": found.name, "members": [*map(diagnosis_json, each)]})
    else:
        show_json(diagnosis_json(each[0]))
