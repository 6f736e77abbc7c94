"""`dotnn check SPEC`: the explain style in full, and beside it what the fast style computes and trains."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

from dotnn.commands.options import STYLES
from dotnn.reports.console import warn
from dotnn.running.scripts import run_script
from dotnn.running.spec_step import SpecStep
from dotnn.session import Compiled, Options, compile_model, front, witness
from dotnn_runtime.gradcheck import Point, Report, ScriptError, Verdict, Witness, check_script, check_style
from dotnn_runtime.run_folder import weight_shapes

WITNESS = "dotnn_witness"
"""What the module of a script is called beside which another one is checked."""
Scripts = dict[str, Compiled]


def check_spec(path: str, sets: tuple[str, ...] = (), seed: int | None = None, *, tensorflow: bool = False) -> Report:
    """Validate what dotnn generates for a spec, in both styles.

    With `tensorflow`, or where the spec asks for it, TensorFlow's gradients are compared with it, too.
    """
    model, warnings = front(path, sets)
    warn(warnings)
    scripts = {style: compile_model(model, Options(style, sets, input_gradients=True)) for style in STYLES}
    name, chosen = Path(path).stem, model.check.seed if seed is None else seed
    if not (tensorflow or "tensorflow" in model.check.against):
        return _check_styles(name, scripts, chosen, {})
    with witness(model, sets) as peer:
        return _check_styles(name, scripts, chosen, {"TensorFlow": peer.witness(scripts["explain"].script)})


def _check_styles(name: str, scripts: Scripts, seed: int, witnesses: dict[str, Witness]) -> Report:
    """Check the explain style in full and, where it is right, the fast style."""
    explain, fast = scripts["explain"], scripts["fast"]
    report = check_script(
        explain.script,
        f"{name}.py",
        seed=seed,
        samples=explain.model.check.samples or None,
        witnesses={"fast style": witness_of(run_script(fast.script, WITNESS)), **witnesses},
        references={"the interpreter": SpecStep(explain.model, explain.graph)},
    )
    if report.blame is None:
        _add_fast_style(report, f"{name}_fast.py", scripts, seed)
    return report


def _add_fast_style(report: Report, name: str, scripts: Scripts, seed: int) -> None:
    """Add what the fast style's own training shows to the report of the explain style."""
    explain, fast = scripts["explain"], scripts["fast"]
    references = {"the interpreter": SpecStep(fast.model, fast.graph, fast=True)}
    explained = run_script(explain.script, WITNESS)
    results, report.blame = check_style(fast.script, name, seed, "fast style", references, explained)
    report.checks += results
    if report.verdict is Verdict.FAIL and (report.blame is None or report.blame.functions):
        line = check_script(fast.script, name, seed=seed, samples=explain.model.check.samples or None).blame
        report.blame = line or report.blame


def witness_of(module: ModuleType) -> Witness:
    """Return the loss and the gradients of another script, as a function of the point."""

    def witness(point: Point) -> tuple[float, dict[str, np.ndarray], dict[str, np.ndarray]]:
        ours = {name: value.shape for name, value in point.params.items()}
        if ours != {name: tuple(shape) for name, shape in weight_shapes(module).items()}:
            raise ScriptError("the script was compiled from another spec: its parameters differ")
        rng = np.random.default_rng(point.rng_seed)
        loss, grads = module.loss_and_grads(point.params, point.batch, training=True, rng=rng)
        return loss, {}, grads

    return witness
