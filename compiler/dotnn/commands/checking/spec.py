"""`dotnn check SPEC`: the explain style in full, and beside it what the fast style computes and trains."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import numpy as np

from dotnn.commands.checking.averages import check_average
from dotnn.reports.console import warn
from dotnn.running.scripts import run_script
from dotnn.running.spec_step import SpecStep
from dotnn.session import Compilation, Compiled
from dotnn.targets import PROVEN, WITNESSES, Options, Style
from dotnn_runtime.gradcheck import Point, Report, ScriptError, Verdict, Witness, check_script, check_style
from dotnn_runtime.run_folder import weight_shapes

WITNESS = "dotnn_witness"
"""What the module of a script is called beside which another one is checked."""
Scripts = list[Compiled]
"""Of all styles, in their order."""


def check_spec(path: str, sets: tuple[str, ...] = (), seed: int | None = None, against: Sequence[str] = ()) -> Report:
    """Validate what dotnn generates for a spec, in all styles.

    The gradients of the targets that it is to be checked `against`, or that the spec names, are compared, too.
    """
    begun = Compilation.read(path, sets)
    warn(begun.warnings)
    return check_compilation(begun, Path(path).stem, seed, against)


def check_compilation(begun: Compilation, name: str, seed: int | None = None, against: Sequence[str] = ()) -> Report:
    """Validate what dotnn generates for a compilation; its scripts are called `name`."""
    if begun.parts:
        from dotnn.commands.checking.turns import check_turns

        alone = {
            part: check_compilation(own.alone, f"{name}_{part}", seed, against) for part, own in begun.parts.items()
        }
        return check_turns(begun, alone, begun.model.check.seed if seed is None else seed)
    scripts = [begun.compiled(Options(style.name, begun.sets, input_gradients=True)) for style in PROVEN.styles]
    wanted = [target for name, target in WITNESSES.items() if name in (*against, *begun.model.check.against)]
    with ExitStack() as stack:
        peers = {target.title: stack.enter_context(begun.witness(target.name)) for target in wanted}
        witnesses = {title: peer.witness() for title, peer in peers.items()}
        seed = begun.model.check.seed if seed is None else seed
        report = _check_styles(name, scripts, seed, witnesses)
        if report.verdict is not Verdict.FAIL:
            report.checks += check_average(begun, seed)
        return report


def _check_styles(name: str, scripts: Scripts, seed: int, witnesses: dict[str, Witness]) -> Report:
    """Check the first style in full and, where it is right, the others."""
    explain, *others = scripts
    titles = [f"{style.name} style" for style in PROVEN.styles[1:]]
    path = explain.model.source.path
    beside = {t: witness_of(run_script(other.script, WITNESS, path)) for t, other in zip(titles, others, strict=True)}
    report = check_script(
        explain.script,
        _beside(path, f"{name}.py"),
        seed=seed,
        samples=explain.model.check.samples or None,
        witnesses={**beside, **witnesses},
        references={"the interpreter": SpecStep(explain.model, explain.graph)},
    )
    for style, other in zip(PROVEN.styles[1:], others, strict=True):
        if report.blame is None:
            _add_style(report, _beside(path, f"{name}_{style.name}.py"), style, explain, other, seed)
    return report


def _beside(spec: str, name: str) -> str:
    """Return the path of a script beside its spec: there it looks for weights."""
    return str(Path(spec).parent / name)


def _add_style(report: Report, name: str, style: Style, explain: Compiled, fast: Compiled, seed: int) -> None:
    """Add what another style's own training shows to the report of the first."""
    references = {"the interpreter": SpecStep(fast.model, fast.graph, scaled=style.scaled)}
    explained = run_script(explain.script, WITNESS, explain.model.source.path)
    results, report.blame = check_style(fast.script, name, seed, f"{style.name} style", references, explained)
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
