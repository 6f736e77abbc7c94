"""`dotnn check`: hand the script of a spec, or a script as it lies on disk, to the validator."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from types import ModuleType

import numpy as np

from dotnn.console import show_json, warn
from dotnn.deadline import Ended, within
from dotnn.diagnostics import CompileError, Diagnostic
from dotnn.driver import Compiled, Options, compile_model, front
from dotnn.emit.heading import read_heading
from dotnn.model.model import Model
from dotnn.reference import SpecStep
from dotnn.scripts import run_script
from dotnn_runtime.gradcheck import (
    Blame,
    CheckResult,
    Point,
    Report,
    ScriptError,
    Verdict,
    Witness,
    check_script,
    check_style,
    print_report,
)
from dotnn_runtime.gradcheck.reading.structure import all_functions, around
from dotnn_runtime.run_folder import weight_shapes

PATIENCE = 60.0
"""How many seconds the check of a script may take where nobody says otherwise."""
STYLES = ("explain", "fast")
WITNESS = "dotnn_witness"
COMPARED = (
    "init_params", "forward", "total_loss", "backward", "loss_and_grads", "training_pass", "renew_state",
    "optimizer_state", "update", "constrain", "learning_rate", "training_arrays", "make_step", "make_update",
    "make_clip", "load_data", "prepare", "predict", "evaluate",
)  # fmt: skip
"""Functions of a script whose results are compared with those of a freshly compiled one."""
SHOWN = 5
"""How many of the changed lines of a script are named."""


def check_path(
    path: str,
    *,
    spec: str | None,
    sets: tuple[str, ...],
    seed: int | None,
    against: str | None,
    as_json: bool,
    timeout: float | None = None,
) -> int:
    """Validate the gradients of a spec or, for a name that ends in .py, of a script. Returns the exit code.

    `timeout` is in seconds; without it a script has `PATIENCE`, and a spec all the time it needs.
    """
    if path.endswith(".py"):
        report = check_file(path, seed or 0, spec, sets, timeout=timeout or PATIENCE)
    elif timeout:
        report = _in_time(path, timeout, lambda: check_spec(path, sets, seed, tensorflow=against == "tensorflow"))
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
    scripts = {style: _compiled(model, style, sets) for style in STYLES}
    name, chosen = Path(path).stem, model.check.seed if seed is None else seed
    if tensorflow or "tensorflow" in model.check.against:
        from dotnn.peer import Peer

        with Peer(model, sets) as peer:
            return _check_styles(name, scripts, chosen, {"TensorFlow": peer.witness(scripts["explain"].script)})
    return _check_styles(name, scripts, chosen, {})


def _check_styles(name: str, scripts: dict[str, Compiled], seed: int, witnesses: dict[str, Witness]) -> Report:
    """Check the explain style in full, and beside it what the fast style computes and trains."""
    explain, fast = scripts["explain"], scripts["fast"]
    samples = explain.model.check.samples or None
    witnesses = {"fast style": _witness(run_script(fast.script, WITNESS)), **witnesses}
    references = {"the interpreter": SpecStep(explain.model, explain.graph)}
    report = check_script(
        explain.script, f"{name}.py", seed=seed, samples=samples, witnesses=witnesses, references=references
    )
    if report.blame is None:
        name, references = f"{name}_fast.py", {"the interpreter": SpecStep(fast.model, fast.graph, fast=True)}
        results, report.blame = check_style(
            fast.script, name, seed, "fast style", references, run_script(explain.script, WITNESS)
        )
        report.checks += results
        if report.verdict is Verdict.FAIL and (report.blame is None or report.blame.functions):
            line = check_script(fast.script, name, seed=seed, samples=samples).blame
            report.blame = line or report.blame
    return report


def _in_time(path: str, seconds: float, work: Callable[[], Report]) -> Report:
    try:
        return within(seconds, work, path)
    except Ended as error:
        raise CompileError([Diagnostic("NN407", f"cannot check {path}: {error}", help=error.help)]) from None


def check_file(
    path: str, seed: int = 0, spec: str | None = None, sets: tuple[str, ...] = (), *, timeout: float = PATIENCE
) -> Report:
    """Validate a script as it lies on disk, edited or not. The script is run, for at most `timeout` seconds.

    With the spec that it was compiled from, it is also compared with a freshly compiled one, and the blame shows the
    lines of both. Raises `CompileError`.
    """
    try:
        script = Path(path).read_text(encoding="utf-8")
        facts = read_heading(script)
        if facts.get("target") == "tensorflow":
            raise ScriptError("it is for TensorFlow, which differentiates by itself")
        if spec is None:
            return _in_time(path, timeout, lambda: check_script(script, path, seed=seed))
        given = facts.get("set")
        sets = sets or tuple(map(str, given if isinstance(given, list) else ()))
        model, warnings = front(spec, sets)
        warn(warnings)
        if isinstance(epochs := facts.get("epochs"), int):
            model = replace(model, train=replace(model.train, epochs=epochs))
        style = "fast" if facts.get("style") == "fast" else "explain"
        fresh = _compiled(model, style, sets, input_gradients=bool(facts.get("input_gradients")))
        reference = SpecStep(model, fresh.graph, style == "fast")
        report = _in_time(path, timeout, lambda: beside(script, path, seed, fresh.script, reference))
        return compared(report, script, fresh.script, model)
    except (OSError, UnicodeDecodeError, ScriptError) as error:
        problem = Diagnostic(
            "NN407",
            f"cannot check {path}: {str(error).removeprefix(f'{path}: ')}",
            help="a NumPy script that dotnn compile wrote is needed",
        )
        raise CompileError([problem]) from None


def beside(script: str, path: str, seed: int, fresh: str, reference: SpecStep) -> Report:
    """Check a script beside the freshly compiled one and the steps of its spec."""
    twin, name = run_script(fresh, WITNESS, path), f"{Path(reference.model.source.path).name}, compiled"
    return check_script(
        script,
        path,
        seed=seed,
        witnesses={name: _witness(twin)},
        references={"the interpreter": reference},
        twins={name: twin},
    )


def compared(report: Report, script: str, fresh: str, model: Model) -> Report:
    """Add to a report in which lines a script differs from a freshly compiled one, and what stands there instead."""
    changed = _changed_lines(script, fresh)
    if changed:
        listed = ", ".join(map(str, list(changed)[:SHOWN])) + (", …" if len(changed) > SHOWN else "")
        path = Path(model.source.path).name
        where = f"lines {listed}" if len(changed) > 1 else f"line {listed}"
        report.notes.append(f"The script differs from what {path} compiles to in {where}.")
    if report.verdict is Verdict.FAIL:
        report.blame = _on_a_changed_line(report.blame, script, changed)
    elif unseen := _unseen(script, changed):
        detail = f"{unseen} is not as compiled, and nothing that was tried shows whether that matters"
        report.checks.append(CheckResult("V11", "lines of the loop and the commands", Verdict.INCONCLUSIVE, detail))
    if report.blame is not None:
        file, _, number = report.blame.spec_line.rpartition(":")
        lines = model.source.text.splitlines()
        text = lines[int(number) - 1].strip() if file and int(number) <= len(lines) else ""
        report.blame = replace(report.blame, spec_text=text, compiled=changed.get(report.blame.line, ""))
    return report


def _unseen(script: str, changed: dict[int, str]) -> str:
    """Return the first changed line of what no comparison runs through all cases: stopping, keeping, the commands."""
    compared = {"", *_reached(script, COMPARED)}
    places = ((line, around(script, line)) for line in changed)
    return next((f"line {line}, in {place}," for line, place in places if place not in compared), "")


def _on_a_changed_line(blame: Blame | None, script: str, changed: dict[int, str]) -> Blame | None:
    """Return the blame on the first changed line of the functions that it names, or of those that these call.

    Where no line is blamed, those of a step's loss and gradients are looked at.
    """
    if blame is not None and blame.line in changed:
        return blame
    places = {line: around(script, line) for line in changed}
    named = blame.functions if blame else ("loss_and_grads",)
    reached = _reached(script, named or ("forward", "total_loss"))
    line = next((line for name in reached for line, place in places.items() if place == name), 0)
    if not line:
        return blame
    text = script.splitlines()[line - 1].partition("  # ")[0].strip()
    other = Blame(places[line], "", "", "", line, text, "another result", "The spec's network gives another result.")
    # A line of the backward pass that is as compiled can only be wrong for a forward pass that is not.
    return replace(blame, line=line, text=text) if blame is not None and blame.functions else other


def _reached(script: str, start: Iterable[str]) -> list[str]:
    """Return functions of a script and those that they call, in the order in which they are met."""
    functions, unread, reached = all_functions(script), list(start), list[str]()
    while unread:
        name = unread.pop(0)
        if name in functions and name not in reached:
            reached.append(name)
            unread += [part.id for part in ast.walk(functions[name]) if isinstance(part, ast.Name)]
    return reached


def _changed_lines(script: str, fresh: str) -> dict[int, str]:
    """Return the lines of a script that are not as compiled, with what was; comments and the header are left out."""
    ours, theirs = _code(script), _code(fresh)
    start = next((i for i, line in enumerate(ours) if line.startswith(("from ", "import ", "def "))), 0)
    found: dict[int, str] = {}
    for tag, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag != "equal" and (b > start or a > start):
            before = [line.strip() for line in theirs[c:d]]
            found |= {i + 1: before[i - a] if i - a < len(before) else "" for i in range(a, max(b, a + 1))}
    return found


def _code(script: str) -> list[str]:
    return [line.partition("  # ")[0].rstrip() for line in script.splitlines()]


def _compiled(model: Model, style: str, sets: tuple[str, ...], *, input_gradients: bool = True) -> Compiled:
    return compile_model(model, Options(style, sets, input_gradients))


def _witness(module: ModuleType) -> Witness:
    """Return the loss and the gradients of another script, as a function of the point."""

    def witness(point: Point) -> tuple[float, dict[str, np.ndarray], dict[str, np.ndarray]]:
        ours = {name: value.shape for name, value in point.params.items()}
        if ours != {name: tuple(shape) for name, shape in weight_shapes(module).items()}:
            raise ScriptError("the script was compiled from another spec: its parameters differ")
        rng = np.random.default_rng(point.rng_seed)
        loss, grads = module.loss_and_grads(point.params, point.batch, training=True, rng=rng)
        return loss, {}, grads

    return witness
