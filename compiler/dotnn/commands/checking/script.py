"""`dotnn check SCRIPT.py`: a script as it is on disk, edited or not, beside the spec that it was compiled from."""

from __future__ import annotations

from pathlib import Path

from dotnn.codegen.heading import read_heading
from dotnn.commands.checking.changed import each_change
from dotnn.commands.checking.sections import check_sections, takes_turns
from dotnn.commands.checking.spec import WITNESS, witness_of
from dotnn.core.arguments import Attrs
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.reports.console import warn
from dotnn.running.deadline import check_in_time
from dotnn.running.scripts import run_script
from dotnn.running.spec_step import SpecStep
from dotnn.session import Compilation, Compiled
from dotnn.targets import PROVEN, TARGETS, Options
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
        target = TARGETS.get(facts.get("target", ""), PROVEN)
        if not target.gradients:
            raise ScriptError(target.reason)
        if takes_turns(script):
            whole = None if spec is None else _begun(facts, spec, sets)
            return check_in_time(path, timeout, lambda: check_sections(script, path, seed, whole))
        if spec is None:
            return check_in_time(path, timeout, lambda: check_script(script, path, seed=seed))
        fresh = _compiled_as(facts, spec, sets)
        reference = SpecStep(fresh.model, fresh.graph, scaled=PROVEN.style(facts.get("style", "")).scaled)

        def check(text: str) -> Report:
            return beside(text, path, seed, fresh.script, reference)

        return check_in_time(path, timeout, lambda: each_change(script, fresh, check))
    except (OSError, UnicodeDecodeError, ScriptError) as error:
        message = f"cannot check {path}: {str(error).removeprefix(f'{path}: ')}"
        help = "a NumPy script that dotnn compile wrote is needed"
        raise CompileError([Diagnostic("NN407", message, help=help)]) from None


def _begun(facts: Attrs, spec: str, sets: tuple[str, ...]) -> Compilation:
    """Return the compilation of a spec with what the header of a script says of parameters and epochs."""
    given = facts.get("set")
    sets = sets or tuple(map(str, given if isinstance(given, list) else ()))
    begun = Compilation.read(spec, sets)
    warn(begun.warnings)
    epochs = facts.get("epochs")
    return begun.with_epochs(epochs) if isinstance(epochs, int) else begun


def _compiled_as(facts: Attrs, spec: str, sets: tuple[str, ...]) -> Compiled:
    """Return what a spec compiles to with the options in the header of a script."""
    begun = _begun(facts, spec, sets)
    own: Attrs = {option.name: facts.get(option.name) for option in PROVEN.options}
    return begun.compiled(Options(PROVEN.style(facts.get("style", "")).name, begun.sets, **own))


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
