"""What the validator says to a right script, and whether it may: shared by the short run and by the long one."""

import statistics
from dataclasses import dataclass, field

import numpy as np
from support import ROOT, as_module, generic_point, gradients, loss_at, model_of, module_of, slope

from dotnn.session import Options, compile_model
from dotnn_runtime.gradcheck import Verdict, check_script, render_text

NOISE = 1e-12
SATURATED = 1e-5
"""A gradient this much smaller than the largest one comes through saturated units, where 1 - a² has lost digits."""

LOOKS = 5


@dataclass
class Audit:
    """The verdicts on many scripts, all of them right: what is not PASS is a finding."""

    scripts: int = 0
    passes: int = 0
    zeros: int = 0
    findings: list[str] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    disagreements: list[float] = field(default_factory=list)

    def look_at(self, text: str, style: str) -> None:
        """Check the script of a spec in one style; the explain style has the fast one for a witness."""
        script = compile_model(model_of(text), Options(style, input_gradients=True)).script
        witnesses = {"fast style": fast_witness(text)} if style == "explain" else {}
        report = check_script(script, "random.py", witnesses=witnesses)
        self.scripts += 1
        largest = max(t.norm for t in report.tensors)
        passed = [t for t in report.tensors if t.rel_err is not None and t.verdict is Verdict.PASS]
        self.errors += [t.rel_err for t in passed if t.norm > SATURATED * largest]
        self.disagreements += [c.value for c in report.checks if c.id == "V5"]
        observed = [t.name for t in report.tensors if t.verdict is Verdict.ZERO_OBSERVED]
        if report.verdict is Verdict.PASS and (not observed or zero_by_construction(script, observed)):
            self.passes += 1
            self.zeros += bool(observed)
        else:
            self.findings.append(f"{style}, {report.verdict}\n{text}\n{render_text(report)}")

    @property
    def median(self) -> float:
        """The median of the relative errors."""
        return statistics.median(self.errors)

    def summary(self) -> str:
        """The figures."""
        return (
            f"{self.scripts} scripts: {self.passes} PASS, {self.zeros} of them with a zero that is only observed, "
            f"{len(self.findings)} findings\n"
            f"relative errors of {len(self.errors)} tensors: median {self.median:.1e}, "
            f"largest {max(self.errors):.1e}; the second oracle: within {max(self.disagreements):.1e}"
        )


def fast_witness(text: str):
    """The loss and the gradients of the fast style, as functions of a point."""
    module = module_of(text, "fast", input_gradients=True)

    def witness(point):
        rng = np.random.default_rng(point.rng_seed)
        loss, grads = module.loss_and_grads(point.params, point.batch, training=True, rng=rng)
        return loss, {}, grads

    return witness


def zero_by_construction(script: str, names: list[str]) -> bool:
    """Whether these gradients and the slopes of the loss are rounding at other points too.

    The validator passes a gradient that the loss does not feel at the points it tries, though nothing proves why.
    """
    module = as_module(script, ROOT / "random.nn")
    for seed in range(LOOKS):
        params, batch = generic_point(module, seed, examples=20)
        grads = gradients(module, params, batch, seed)
        largest = max(np.abs(g).max() for g in grads.values())
        for name in names:
            direction = np.random.default_rng(seed).standard_normal(grads[name].shape)
            table = params if name in params else batch

            def loss(value, name=name, table=table, point=(params, batch), seed=seed):
                both = [{k: v.astype(complex) if v.dtype.kind == "f" else v for k, v in t.items()} for t in point]
                both[point[1] is table][name] = value
                return loss_at(module, *both, seed)

            if max(abs(slope(loss, table[name], direction)), np.abs(grads[name]).max()) > NOISE * largest:
                return False
    return bool(names)
