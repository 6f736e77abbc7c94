"""`dotnn check`: hand the script of a spec, or a script as it lies on disk, to the validator."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

from dotnn.console import show_json, warn
from dotnn.diagnostics import CompileError, Diagnostic
from dotnn.driver import Options, compile_model, front
from dotnn.model.model import Model
from dotnn_runtime.gradcheck import Point, Report, ScriptError, Witness, check_script, print_report


def check_path(path: str, *, sets: tuple[str, ...], seed: int | None, as_json: bool) -> int:
    """Validate the gradients of a spec or, for a name that ends in .py, of a script. Returns the exit code."""
    report = check_file(path, seed or 0) if path.endswith(".py") else check_spec(path, sets, seed)
    if as_json:
        show_json(report.to_json())
    else:
        print_report(report)
    return report.exit_code


def check_spec(path: str, sets: tuple[str, ...] = (), seed: int | None = None) -> Report:
    """Validate what dotnn generates for a spec: the explain style in full, the fast style against it."""
    model, warnings = front(path, sets)
    warn(warnings)
    script = compile_model(model, Options("explain", sets, input_gradients=True)).script
    return check_script(
        script,
        Path(path).stem + ".py",
        seed=model.check.seed if seed is None else seed,
        samples=model.check.samples or None,
        witnesses={"fast style": _fast_style(model, sets)},
    )


def check_file(path: str, seed: int = 0) -> Report:
    """Validate a script as it lies on disk, edited or not. The script is run. Raises `CompileError`."""
    try:
        return check_script(Path(path).read_text(encoding="utf-8"), path, seed=seed)
    except (OSError, UnicodeDecodeError, ScriptError) as error:
        problem = Diagnostic(
            "NN407", f"cannot check {path}: {error}", help="a script that dotnn compile wrote is needed"
        )
        raise CompileError([problem]) from None


def _fast_style(model: Model, sets: tuple[str, ...]) -> Witness:
    """Return the fast style's loss and gradients at a point."""
    module = ModuleType("dotnn_fast_style")
    exec(
        compile(compile_model(model, Options("fast", sets, input_gradients=True)).script, "<fast style>", "exec"),
        vars(module),
    )

    def witness(point: Point) -> tuple[float, dict[str, np.ndarray], dict[str, np.ndarray]]:
        rng = np.random.default_rng(point.rng_seed)
        loss, grads = module.loss_and_grads(point.params, point.batch, training=True, rng=rng)
        return loss, {}, grads

    return witness
