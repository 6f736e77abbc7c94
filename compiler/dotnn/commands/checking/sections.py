"""`dotnn check SCRIPT.py` of a script whose sections take turns: the gradients of each, by the complex step."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import ModuleType

import numpy as np

from dotnn.commands.checking.turns import COUNT, ID, LIMIT, STEP, alike, in_turn, parts_of
from dotnn.running.scripts import run_script
from dotnn.session import Compilation
from dotnn_runtime.gradcheck import CheckResult, Report, TensorResult, Verdict
from dotnn_runtime.script.selfcheck import generic_batch

SECTIONS = "SECTIONS"
"""The table of a script: the functions of each section."""


def takes_turns(script: str) -> bool:
    """Whether a script has several sections: the table of their functions. One that is no Python has none."""
    try:
        body = ast.parse(script).body
    except (SyntaxError, ValueError, RecursionError):
        return False  # whoever runs it says where
    made = (target for node in body if isinstance(node, ast.Assign) for target in node.targets)
    return any(isinstance(target, ast.Name) and target.id == SECTIONS for target in made)


def check_sections(script: str, path: str, seed: int, fresh: Compilation | None = None) -> Report:
    """Compare what every section updates with complex-step derivatives of its loss (Squire and Trapp 1998).

    With the compilation of its spec it is compared with what the interpreter makes of that, too. Whatever the script
    raises is a failure.
    """
    report = Report(seed)
    try:
        module = run_script(script, "dotnn_sections", path)
        report.batch_size = COUNT
        report.tensors += _gradients(module, seed)
        if fresh is not None:
            report.checks += _beside(module, fresh, seed)
    except Exception as error:  # whatever a script that was edited may raise
        report.checks.append(CheckResult(ID, "the script runs", Verdict.FAIL, f"{type(error).__name__}: {error}"))
    return report


def _beside(module: ModuleType, fresh: Compilation, seed: int) -> Iterator[CheckResult]:
    """Yield whether a script computes and trains what its spec says; a loop that nothing ends early is compared."""
    parts = parts_of(fresh)
    yield from alike(module, parts, "this", seed)
    if not any(turn.train.stops for turn in fresh.model.turns):
        yield from in_turn(module, parts, "this", seed)


def _gradients(module: ModuleType, seed: int) -> Iterator[TensorResult]:
    """Yield whether each gradient is right, along a direction that is drawn."""
    rng = np.random.default_rng([seed, 11])
    params = {n: w + 0.1 * rng.standard_normal(w.shape) for n, w in module.init_params(seed, np.float64).items()}
    batch = generic_batch({**module.INPUTS, **module.TARGETS}, rng, COUNT)
    for section, own in module.UPDATES.items():
        draws = np.random.default_rng(seed)
        grads = module.loss_and_grads(params, batch, rng=draws, section=section)[1]
        smallest = 1e-6 * max(np.abs(grads[name]).max() for name in own)
        for name in own:
            direction = rng.standard_normal(params[name].shape)
            slope = _slope(module, params | {name: params[name] + STEP * 1j * direction}, batch, seed, section)
            found = float((grads[name] * direction).sum())
            error = abs(found - slope) / max(abs(slope), smallest, 1e-300)
            verdict = Verdict.PASS if error < LIMIT else Verdict.FAIL  # a NaN is no less
            shape, norm = grads[name].shape, float(np.linalg.norm(grads[name]))
            method = {"rel_err": error, "method": "complex step", "norm": norm, "probes": 1}
            yield TensorResult(f"{section}: {name}", "param", shape, "", verdict, section=section, **method)
        batch = batch | {name: grad for name, grad in grads.items() if name not in own}


def _slope(
    module: ModuleType, moved: dict[str, np.ndarray], batch: dict[str, np.ndarray], seed: int, section: str
) -> float:
    """Return the derivative of a section's loss along the way that parameters have moved."""
    draws = np.random.default_rng(seed)
    cache = module.forward(moved, batch, training=True, rng=draws, section=section)[1]
    return float(np.imag(module.total_loss(moved, batch, cache, section)) / STEP)
