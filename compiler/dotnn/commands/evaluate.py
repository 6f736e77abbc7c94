"""`dotnn evaluate`: the figures of a finished run on data that it has not seen."""

from __future__ import annotations

from pathlib import Path

import click

from dotnn.commands.options import FILE, json_option


@click.command("evaluate")
@click.argument("run", metavar="RUN", type=FILE)
@click.option(
    "--data", metavar="FILE", type=FILE, help="A file with other examples. Default: the test part of the run."
)
@click.option(
    "--predictions", metavar="FILE", type=FILE, help="Keep what it says of each example, and what is true: CSV, .npz."
)
@click.option("--force", is_flag=True, help="Overwrite the file of the predictions.")
@json_option
def command(run: str, data: str | None, predictions: str | None, force: bool, as_json: bool) -> None:
    """Measure a finished run on its test part, or on other data."""
    from dotnn.commands.seeing.ensemble import Ensemble
    from dotnn.commands.seeing.figures import figures_of
    from dotnn.commands.seeing.keep import keep_predictions
    from dotnn.commands.seeing.run import Run
    from dotnn.reports.console import show_json
    from dotnn.reports.figures import figures_text
    from dotnn.running.combining import members_of
    from dotnn.running.output import check_output
    from dotnn.running.run_contents import faults_of_runs, warn_of_divergence
    from dotnn_runtime.run_folder import RunFolder

    if predictions is not None and predictions != "-":
        check_output(Path(predictions), force=force)
    with faults_of_runs(data or ""):
        folder = RunFolder.open(run)
        ensemble = Ensemble.open(folder) if members_of(folder) else None
        found = ensemble.run if ensemble else Run.open(run)
        for member in ensemble.members if ensemble else [found]:
            warn_of_divergence(member.folder)
    examples, part = found.measured(data)
    figures = ensemble.figures(examples, part) if ensemble else figures_of(found, examples, part)
    if predictions is not None:
        together = ensemble.outputs(examples) if ensemble else None
        places = found.places()[part] if data is None else found.examples(data)[1]
        keep_predictions(found, examples, places, predictions, outputs=together, force=force)
    if as_json:
        show_json(figures.as_json())
    else:
        click.echo(figures_text(figures.as_json()))
