"""`dotnn check`: compile with gradients for the inputs too, and hand the script to the validator."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dotnn.cli import show_json, warn
from dotnn.driver import Options, compile_model, front
from dotnn.model.lint import lint
from dotnn_runtime.gradcheck import check_script, exit_code, print_report

__all__ = ["check_spec", "lint"]


def check_spec(spec: str, *, style: str, sets: tuple[str, ...], seed: int | None, as_json: bool) -> int:
    """Validate the gradients of a spec's script; return the exit code."""
    model, warnings = front(spec, sets)
    warn(warnings)
    compiled = compile_model(model, Options(style, sets, input_gradients=True))
    report = check_script(
        compiled.script, Path(spec).stem + ".py", seed=model.check.seed if seed is None else seed, samples=model.check.samples or None
    )
    if as_json:
        show_json(report.to_json())
    else:
        print_report(report, sys.stdout)
    click.echo("", nl=False)
    return exit_code(report)
