"""`dotnn evaluate`: the figures of a finished run on data that it has not seen."""

from __future__ import annotations

import click

from dotnn.commands.options import FILE, json_option


@click.command("evaluate")
@click.argument("run", metavar="RUN", type=FILE)
@click.option(
    "--data", metavar="FILE", type=FILE, help="A file with other examples. Default: the test part of the run."
)
@json_option
def command(run: str, data: str | None, as_json: bool) -> None:
    """Measure a finished run on its test part, or on other data."""
    from dotnn.commands.seeing.figures import figures_of
    from dotnn.commands.seeing.run import Run, held_out
    from dotnn.reports.console import show_json
    from dotnn.reports.figures import figures_text
    from dotnn.running.run_contents import faults_of_runs, warn_of_divergence

    found = Run.open(run)
    with faults_of_runs(data or ""):
        warn_of_divergence(found.folder)
    if data is None:
        parts = found.parts()
        part = held_out(parts)
        figures = figures_of(found, parts[part], part)
    else:
        figures = figures_of(found, found.examples(data), data)
    if as_json:
        show_json(figures.as_json())
    else:
        click.echo(figures_text(figures.as_json()))
