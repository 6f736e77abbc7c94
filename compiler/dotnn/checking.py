"""`dotnn check`: hand the script of a spec, or a script as it lies on disk, to the validator."""

from __future__ import annotations

from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from types import ModuleType

import numpy as np

from dotnn.console import show_json, warn
from dotnn.diagnostics import CompileError, Diagnostic
from dotnn.driver import Options, compile_model, front
from dotnn.emit.heading import read_heading
from dotnn.model.model import Model
from dotnn_runtime.gradcheck import Point, Report, ScriptError, Verdict, Witness, check_script, print_report
from dotnn_runtime.run_folder import weight_shapes

SHOWN = 5
"""How many of the changed lines of a script are named."""


def check_path(
    path: str, *, spec: str | None, sets: tuple[str, ...], seed: int | None, against: str | None, as_json: bool
) -> int:
    """Validate the gradients of a spec or, for a name that ends in .py, of a script. Returns the exit code."""
    if path.endswith(".py"):
        report = check_file(path, seed or 0, spec, sets)
    else:
        report = check_spec(path, sets, seed, tensorflow=against == "tensorflow")
    if as_json:
        show_json(report.to_json())
    else:
        print_report(report)
    return report.exit_code


def check_spec(path: str, sets: tuple[str, ...] = (), seed: int | None = None, *, tensorflow: bool = False) -> Report:
    """Validate what dotnn generates for a spec: the explain style in full, the fast style against it.

    With `tensorflow`, or where the spec asks for it, TensorFlow's gradients are compared with it, too.
    """
    model, warnings = front(path, sets)
    warn(warnings)
    scripts = {style: _compiled(model, style, sets) for style in ("explain", "fast")}
    name, chosen = Path(path).stem, model.check.seed if seed is None else seed
    if tensorflow or "tensorflow" in model.check.against:
        from dotnn.peer import Peer

        with Peer(model, sets) as peer:
            return _check_scripts(model, name, scripts, chosen, {"TensorFlow": peer.witness(scripts["explain"])})
    return _check_scripts(model, name, scripts, chosen, {})


def _check_scripts(
    model: Model, name: str, scripts: dict[str, str], seed: int, witnesses: dict[str, Witness]
) -> Report:
    samples = model.check.samples or None
    witnesses = {"fast style": _witness(scripts["fast"]), **witnesses}
    report = check_script(scripts["explain"], f"{name}.py", seed=seed, samples=samples, witnesses=witnesses)
    if report.verdict is Verdict.FAIL and report.blame is None:
        report.blame = check_script(scripts["fast"], f"{name}_fast.py", seed=seed, samples=samples).blame
    return report


def check_file(path: str, seed: int = 0, spec: str | None = None, sets: tuple[str, ...] = ()) -> Report:
    """Validate a script as it lies on disk, edited or not. The script is run.

    With the spec that it was compiled from, it is also compared with a freshly compiled one, and the blame shows the
    lines of both. Raises `CompileError`.
    """
    try:
        script = Path(path).read_text(encoding="utf-8")
        facts = read_heading(script)
        if facts.get("target") == "tensorflow":
            raise ScriptError("it is for TensorFlow, which differentiates by itself")
        if spec is None:
            return check_script(script, path, seed=seed)
        given = facts.get("set")
        sets = sets or tuple(map(str, given if isinstance(given, list) else ()))
        model, warnings = front(spec, sets)
        warn(warnings)
        style = "fast" if facts.get("style") == "fast" else "explain"
        fresh = _compiled(model, style, sets, input_gradients=bool(facts.get("input_gradients")))
        report = check_script(script, path, seed=seed, witnesses={f"{spec}, compiled": _witness(fresh)})
        return compared(report, script, fresh, model)
    except (OSError, UnicodeDecodeError, ScriptError) as error:
        problem = Diagnostic(
            "NN407",
            f"cannot check {path}: {str(error).removeprefix(f'{path}: ')}",
            help="a NumPy script that dotnn compile wrote is needed",
        )
        raise CompileError([problem]) from None


def compared(report: Report, script: str, fresh: str, model: Model) -> Report:
    """Add to a report in which lines a script differs from a freshly compiled one, and what stands there instead."""
    changed = _changed_lines(script, fresh)
    if changed:
        listed = ", ".join(map(str, list(changed)[:SHOWN])) + (", …" if len(changed) > SHOWN else "")
        path = Path(model.source.path).name
        where = f"lines {listed}" if len(changed) > 1 else f"line {listed}"
        report.notes.append(f"The script differs from what {path} compiles to in {where}.")
    if report.blame is not None:
        file, _, number = report.blame.spec_line.rpartition(":")
        lines = model.source.text.splitlines()
        text = lines[int(number) - 1].strip() if file and int(number) <= len(lines) else ""
        report.blame = replace(report.blame, spec_text=text, compiled=changed.get(report.blame.line, ""))
    return report


def _changed_lines(script: str, fresh: str) -> dict[int, str]:
    """Return the lines of a script that are not as compiled, with what was; comments and the header are left out."""
    ours, theirs = _code(script), _code(fresh)
    start = next((i for i, line in enumerate(ours) if line.startswith("def ")), 0)
    found: dict[int, str] = {}
    for tag, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag != "equal" and (b > start or a > start):
            before = [line.strip() for line in theirs[c:d]]
            found |= {i + 1: before[i - a] if i - a < len(before) else "" for i in range(a, max(b, a + 1))}
    return found


def _code(script: str) -> list[str]:
    return [line.partition("  # ")[0].rstrip() for line in script.splitlines()]


def _compiled(model: Model, style: str, sets: tuple[str, ...], *, input_gradients: bool = True) -> str:
    return compile_model(model, Options(style, sets, input_gradients)).script


def _witness(script: str) -> Witness:
    """Return the loss and the gradients of another script, as a function of the point."""
    module = ModuleType("dotnn_witness")
    exec(compile(script, "<compiled>", "exec"), vars(module))

    def witness(point: Point) -> tuple[float, dict[str, np.ndarray], dict[str, np.ndarray]]:
        ours = {name: value.shape for name, value in point.params.items()}
        if ours != {name: tuple(shape) for name, shape in weight_shapes(module).items()}:
            raise ScriptError("the script was compiled from another spec: its parameters differ")
        rng = np.random.default_rng(point.rng_seed)
        loss, grads = module.loss_and_grads(point.params, point.batch, training=True, rng=rng)
        return loss, {}, grads

    return witness
