"""The worst that is found in a training, said at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from dotnn.commands.seeing.look import seen_of
from dotnn.commands.seeing.run import Run
from dotnn.commands.training.prepare import Prepared
from dotnn.reports.diagnosis import worst_line
from dotnn.reports.findings import diagnosis
from dotnn.reports.training import INTERRUPTED, History
from dotnn.running.run_contents import kept_in
from dotnn.running.scripts import run_script
from dotnn.targets import PROVEN
from dotnn_runtime.run_folder import RunFolder

MOST_WORK = 2**24
"""Of more numbers, of data or of parameters times examples, it would take too long: `dotnn doctor` may be asked."""


def warn_of_the_worst(folder: RunFolder, ready: Prepared, history: History, result: Mapping[str, Any]) -> None:
    """Print a line on stderr about the worst finding, if there is one, where looking for it is quick."""
    size = sum(array.nbytes for array in ready.examples.values()) // 8
    if ready.begun.large or size > MOST_WORK or ready.model.size > MOST_WORK // 256:
        return
    if history.stopped_by == INTERRUPTED or not len(history):
        return
    module = run_script(ready.begun.script(PROVEN.name, PROVEN.styles[-1].name), "dotnn_seen", ready.model.source.path)
    run = Run(folder, ready.begun, module, kept_in(folder, module), list(history), dict(result), known=ready.parts)
    line = worst_line(folder.path.as_posix(), diagnosis(seen_of(run)))
    if line:
        click.echo(line, err=True)
