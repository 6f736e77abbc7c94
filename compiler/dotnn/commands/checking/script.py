"""`dotnn check SCRIPT.py`: a script as it is on disk, edited or not, beside the spec that it was compiled from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dotnn.codegen.heading import read_heading
from dotnn.commands.checking.changes import compared
from dotnn.commands.checking.spec import WITNESS, witness_of
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.model.model import Model
from dotnn.reports.console import warn
from dotnn.running.deadline import check_in_time
from dotnn.running.scripts import run_script
from dotnn.running.spec_step import SpecStep
from dotnn.session import Compiled, Options, compile_model, front
from dotnn_runtime.gradcheck import Report, ScriptError, check_script

PATIENCE = 60.0
"""How many seconds the check of a script may take where nobody says otherwise."""


def check_file(
    path: str, seed: int = 0, spec: str | None = None, sets: tuple[str, ...] = (), *, timeout: float = PATIENCE
) -> Report:
    """Validate a script as it is on disk, edited or not. The script is run, for at most `timeout` seconds.

    With the spec that it was compiled from, it is also compared with a freshly compiled one, and the blame shows the
    lines of both. Raises `CompileError`.
    """
    try:
        script = Path(path).read_text(encoding="utf-8")
        facts = read_heading(script)
        if facts.get("target") == "tensorflow":
            raise ScriptError("it is for TensorFlow, which computes the gradients itself")
        if spec is None:
            return check_in_time(path, timeout, lambda: check_script(script, path, seed=seed))
        fresh = _compiled_as(facts, spec, sets)
        reference = SpecStep(fresh.model, fresh.graph, fast=_style(facts) == "fast")
        report = check_in_time(path, timeout, lambda: beside(script, path, seed, fresh.script, reference))
        return compared(report, script, fresh.script, fresh.model)
    except (OSError, UnicodeDecodeError, ScriptError) as error:
        message = f"cannot check {path}: {str(error).removeprefix(f'{path}: ')}"
        help = "a NumPy script that dotnn compile wrote is needed"
        raise CompileError([Diagnostic("NN407", message, help=help)]) from None


def _compiled_as(facts: dict[str, Any], spec: str, sets: tuple[str, ...]) -> Compiled:
    """Return what a spec compiles to with the options in the header of a script."""
    given = facts.get("set")
    sets = sets or tuple(map(str, given if isinstance(given, list) else ()))
    model, warnings = front(spec, sets)
    warn(warnings)
    model = _with_epochs(model, facts.get("epochs"))
    return compile_model(model, Options(_style(facts), sets, bool(facts.get("input_gradients"))))


def _with_epochs(model: Model, epochs: object) -> Model:
    return replace(model, train=replace(model.train, epochs=epochs)) if isinstance(epochs, int) else model


def _style(facts: dict[str, Any]) -> str:
    return "fast" if facts.get("style") == "fast" else "explain"


def beside(script: str, path: str, seed: int, fresh: str, reference: SpecStep) -> Report:
    """Check a script beside the freshly compiled one and the steps of its spec."""
    twin, name = run_script(fresh, WITNESS, path), f"{Path(reference.model.source.path).name}, compiled"
    return check_script(
        script,
        path,
        seed=seed,
        witnesses={name: witness_of(twin)},
        references={"the interpreter": reference},
        twins={name: twin},
    )
