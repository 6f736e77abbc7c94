"""What must hold for a valid spec: the interpreter, both styles, the validator and TensorFlow say the same of it."""

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from fuzz.arguments import WEIGHTS_FILE
from fuzz.reference import Arrays, distance, interpreted, trained
from support import STYLES, as_module

from dotnn.commands.checking.spec import check_spec
from dotnn.commands.comparing.follow import follow
from dotnn.commands.comparing.rounding import LIKE_TIES
from dotnn.core.diagnostics import CompileError, Source
from dotnn.ir.rounding import RandomRounding
from dotnn.model.model import Model
from dotnn.model.resolve import resolve
from dotnn.reports.trajectory import LIKE_ROUNDING
from dotnn.session import Compilation, Compiled, Options, compile_model
from dotnn.syntax.parse import parse
from dotnn_runtime.gradcheck import Report, Verdict, render_text
from dotnn_runtime.script.selfcheck import generic_batch

SPEC = "random.nn"
SPEC_STAGE = "the spec"
BEYOND_A_LIMIT = "NN231"
TOLERANCE = 1e-9
STEPS = 3
TWINS = 6
"""In how many trainings it is looked at what rounding does, as `dotnn diff` does."""


class Failure(Exception):
    """A property that does not hold; failures of one `kind` have, in all likelihood, one cause."""

    def __init__(self, kind: str, detail: str) -> None:
        self.kind = kind
        super().__init__(f"{kind}: {detail}")

    @property
    def of_check(self) -> bool:
        """Whether it takes the validator to see it."""
        return self.kind.startswith(("check", "the compiler"))

    @property
    def of_spec(self) -> bool:
        """Whether no spec came about."""
        return self.kind.startswith(SPEC_STAGE)

    @property
    def of_tensorflow(self) -> bool:
        """Whether it takes TensorFlow to see it."""
        return self.kind.startswith("tensorflow")


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """Turn whatever goes wrong in here into a failure of its own kind."""
    try:
        with np.errstate(all="ignore"):
            yield
    except Failure:
        raise
    except Exception as error:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        code = error.diagnostics[0].code if isinstance(error, CompileError) else ""
        where = place.tb_frame.f_code.co_name if place is not None else ""
        raise Failure(f"{name} raises {type(error).__name__}{code} in {where}", str(error)[:300]) from error


def model_in(folder: Path, text: str, seed: int) -> Model:
    """The model of a spec in a folder, and beside it the file that initialisers of the spec read."""
    source = Source(str(folder / SPEC), text)
    Path(source.path).write_text(text, encoding="utf-8")
    model = resolve(parse(source), source)[0]
    rng = np.random.default_rng(seed)
    read = {name: rng.standard_normal(p.shape) for name, p in model.params.items() if p.init.name == "file"}
    if read:
        np.savez(folder / WEIGHTS_FILE, **read)
    return model


def examples_for(model: Model, module: ModuleType, seed: int) -> Arrays:
    """Random examples: three steps of an epoch, the last one smaller where batches can be; every other time classes.

    Data between 0 and 1 are 0 and 1 then.
    """
    count = 2 * model.train.batch + 1 if model.train.batch else 4
    declared = {**module.INPUTS, **module.TARGETS}
    examples = generic_batch(declared, np.random.default_rng(seed), count)
    units = [name for name, (kind, _) in declared.items() if kind == "unit" and seed % 2]
    return examples | {name: np.rint(examples[name]) for name in units}


@dataclass
class Trial:
    """One spec under test."""

    text: str
    seed: int
    folder: Path

    verify: bool = True

    def __post_init__(self) -> None:
        self.path = (self.folder / SPEC).with_suffix(".py")
        with stage("the compiler"):
            self.model = model_in(self.folder, self.text, self.seed)
            self.compiled: dict[str, Compiled] = {
                style: compile_model(self.model, Options(style), check=self.verify) for style in STYLES
            }
        self.graph = self.compiled["explain"].graph

    def numbers(self) -> str:
        """Compare both styles with the interpreter over a training; return "ok" or why nothing can be said."""
        with stage("explain"):
            explain = as_module(self.compiled["explain"].script, self.path)
            examples = examples_for(self.model, explain, self.seed)
        with stage("the interpreter"):
            reference = trained(self._interpreted(), examples, self.seed)
        if not all(np.isfinite(value).all() for value in reference.params.values()):
            return "diverges"  # and the fast style, which refuses such parameters, says no more of it
        with stage("explain"):
            found = {"explain": trained(explain, examples, self.seed)}
        with stage("fast"):
            fast = as_module(self.compiled["fast"].script, self.path)
            found["fast"] = trained(fast, examples, self.seed)
        for style, one in found.items():
            error, place = distance(one, reference)
            if not error <= TOLERANCE:
                if self._rounding_explains(error, examples):
                    return "multiplies rounding"
                raise Failure(f"{style} is wrong", f"{place} is off by {error:.1e}")
        return "ok"

    def _examples(self) -> Arrays:
        explain = as_module(self.compiled["explain"].script, self.path)
        return examples_for(self.model, explain, self.seed)

    def _interpreted(self, rounded: Callable[..., Any] | None = None) -> ModuleType:
        return interpreted(self.compiled["explain"].script, self.path, self.graph, rounded)

    def _rounding_explains(self, error: float, examples: Arrays) -> bool:
        """Whether rounding alone does as much to this training, or a tie that rounding decides."""
        calm = self._torn(examples, ties=False)
        if error <= LIKE_ROUNDING * calm:
            return True
        torn = self._torn(examples, ties=True)
        return error <= LIKE_ROUNDING * torn and error > LIKE_TIES * torn

    def _torn(self, examples: Arrays, *, ties: bool) -> float:
        """How far twins are from the training that starts where they do, but for a unit in the last place."""
        plain = self._interpreted()
        start = self._start(plain, examples)
        with stage("the interpreter"):
            straight = trained(plain, examples, self.seed, params=start)
            errors = []
            for number in range(TWINS):
                twin = RandomRounding(np.random.default_rng(number))
                moved = trained(self._interpreted(twin), examples, self.seed, params=twin.moved(start, ties=ties))
                errors.append(distance(moved, straight)[0])
        return max(errors)

    def _start(self, module: ModuleType, examples: Arrays) -> Arrays:
        params: Arrays = module.init_params(self.seed, np.float64)
        if hasattr(module, "unit_variance"):
            params = module.unit_variance(params, examples)
        return params

    def check(self) -> str:
        """`dotnn check` passes, or cannot tell the styles from rounding."""
        with stage("check"):
            with contextlib.redirect_stderr(io.StringIO()):  # it shows the spec's warnings
                report = check_spec(str(self.folder / SPEC), seed=self.seed)
            if report.verdict is Verdict.PASS:
                return "ok"
            if _undecided(report) == {"V8"} and self._torn(self._examples(), ties=True) > TOLERANCE:
                return "inconclusive: rounding decides"  # as `_torn` says, too, which knows nothing of `check`
            checks = sorted({c.id for c in report.checks if c.verdict is report.verdict})
        lines = [line for line in render_text(report).splitlines() if report.verdict.name in line or "script" in line]
        raise Failure(f"check says {report.verdict.name} {' '.join(checks)}", "\n".join(lines[:8]))

    def tensorflow(self) -> str:
        """`dotnn diff` finds no difference, or the target refuses a layer that Keras computes otherwise."""
        with stage("tensorflow"):
            try:
                compile_model(self.model, Options(target="tensorflow"))
            except CompileError as error:
                if {d.code for d in error.diagnostics} != {"NN507"}:
                    raise
                return "refused"
            begun = Compilation.of(self.model)
            with begun.witness() as peer:
                found = follow(begun, peer, STEPS)
            if found.verdict == "FAIL":
                assert found.first is not None
                raise Failure(
                    f"tensorflow differs in the {found.first.kind}", f"{found.first} by {found.first.error:.1e}"
                )
        return "ok" if found.verdict == "PASS" else "multiplies rounding"


def _undecided(report: Report) -> set[str]:
    """Return the checks of the whole script that the validator could not decide, none where something is wrong."""
    inconclusive = report.verdict is Verdict.INCONCLUSIVE
    return {c.id for c in report.checks if inconclusive and c.verdict is Verdict.INCONCLUSIVE}


def attempt(text: str, seed: int, *, check: bool = True, tensorflow: bool = False) -> dict[str, str]:
    """Try a spec; return what each property came to. Raises `Failure`.

    Numbers are always compared; with `check` the verifiers of the compiler and the validator run besides. Definitions
    that call each other may grow beyond what a formula may be: that is refused, and nothing is left to compare.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            trial = Trial(text, seed, Path(folder), verify=check)
        except Failure as failure:
            if failure.kind.startswith(f"the compiler raises CompileError{BEYOND_A_LIMIT} "):
                return {"numbers": "beyond a limit"}
            raise
        found = {"numbers": trial.numbers()}
        if check:
            found["check"] = trial.check()
        if tensorflow:
            found["tensorflow"] = trial.tensorflow()
    return found
