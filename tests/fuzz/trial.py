"""What must hold for a valid spec: the interpreter, both styles, the validator and TensorFlow say the same of it."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from fuzz.arguments import WEIGHTS_FILE
from support import STYLES, as_module

from dotnn.checking import _check_scripts
from dotnn.diagnostics import CompileError, Source
from dotnn.diffing import follow
from dotnn.driver import Compiled, Options, compile_model
from dotnn.inits import INITS
from dotnn.ir.graph import Graph
from dotnn.ir.interpret import run
from dotnn.model.model import Model
from dotnn.model.resolve import resolve
from dotnn.peer import Peer
from dotnn.syntax.parse import parse
from dotnn_runtime.gradcheck import Report, Verdict, render_text
from dotnn_runtime.script.selfcheck import generic_batch

Arrays = dict[str, np.ndarray]
TOLERANCE = 1e-9
NOISE = 1e-3
"""Arrays are compared relative to their size, or to this share of the largest: an optimizer makes steps of rounding."""
STEPS = 3
EPSILON = float(np.finfo(float).eps)
TWINS, LIKE_ROUNDING, LIKE_TIES = 6, 10, 1e-9
"""As in `dotnn diff`: what rounding does is seen in twins, whose every number is moved by a unit in the last place."""


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
    source = Source(str(folder / "random.nn"), text)
    model = resolve(parse(source), source)[0]
    rng = np.random.default_rng(seed)
    read = {name: rng.standard_normal(p.shape) for name, p in model.params.items() if p.init.name == "file"}
    if read:
        np.savez(folder / WEIGHTS_FILE, **read)
    return model


@dataclass
class Trained:
    """What a training ends with."""

    losses: list[float]
    figures: Arrays
    params: Arrays
    outputs: Arrays


def examples_for(model: Model, module: ModuleType, seed: int) -> Arrays:
    """Random examples: three steps of an epoch, the last one smaller where batches can be."""
    count = 2 * model.train.batch + 1 if model.train.batch else 4
    return generic_batch({**module.INPUTS, **module.TARGETS}, np.random.default_rng(seed), count)


def trained(module: ModuleType, examples: Arrays, seed: int, **start: Any) -> Trained:
    """Train as `dotnn train` does, but in float64, and predict."""
    params, history = module.train(examples, dtype=np.float64, seed=seed, **start)
    figures = {key: np.array([record[key] for record in history]) for key in history[0] if key != "epoch"}
    inputs = {name: examples[name] for name in module.INPUTS}
    return Trained([r["loss"] for r in history], figures, dict(params), module.predict(params, inputs))


class Cache(dict[str, Any]):
    """The values of a forward pass by name, as in a script, and all values by number."""

    def __init__(self, named: Arrays, values: dict[int, Any]) -> None:
        super().__init__(named)
        self.values_by_id = values


def interpreted(script: str, path: Path, graph: Graph, rounded: Callable[..., Any] | None = None) -> ModuleType:
    """An explain script in which the interpreter computes the network, forward and backward, and renews the state."""
    module = as_module(script, path)
    options = {"rounded": rounded} if rounded else {}

    def forward(params: Arrays, batch: Arrays, *, training: bool = False, rng: Any = None) -> tuple[Arrays, Arrays]:
        whole = graph if graph.targets.keys() <= batch.keys() else replace(graph, nodes=graph.phase("forward"))
        values = run(whole, {**params, **batch}, rng=rng, training=training, **options)
        named = {v.name: values[v.id] for node in whole.nodes for v in node.outs}
        return {name: values[v.id] for name, v in graph.outputs.items()}, Cache(named, values)

    def loss_of(params: Arrays, batch: Arrays, cache: Cache) -> Any:
        assert graph.loss is not None
        return cache.values_by_id[graph.loss.id]

    def backward(params: Arrays, batch: Arrays, cache: Cache, d_loss: float = 1.0) -> Arrays:
        return {name: cache.values_by_id[v.id] for name, v in graph.grads.items()}

    def renew_state(params: Arrays, cache: Cache) -> None:
        params |= {name: cache.values_by_id[v.id] for name, v in graph.renewed.items()}

    vars(module).update(forward=forward, total_loss=loss_of, backward=backward)
    if graph.renewed:
        vars(module).update(renew_state=renew_state)
    return module


def distance(ours: Trained, theirs: Trained) -> tuple[float, str]:
    """How far two trainings are from each other, relative to the second, and where they are farthest apart."""
    worst = (0.0, "")
    for kind in ("figures", "params", "outputs"):
        a, b = getattr(ours, kind), getattr(theirs, kind)
        if a.keys() != b.keys():
            return float("inf"), f"{kind}: {sorted(a.keys() ^ b.keys())}"
        largest = max((float(np.abs(value).max(initial=0)) for value in b.values()), default=0.0)
        for name, value in b.items():
            worst = max(
                worst, (_relative(a[name], value, NOISE * largest if kind == "params" else 0), f"{kind} {name}")
            )
    return worst


def _relative(a: np.ndarray, b: np.ndarray, floor: float) -> float:
    if a.shape != b.shape:
        return float("inf")
    if np.array_equal(a, b, equal_nan=True):
        return 0.0
    size = max(float(np.abs(b).max(initial=0)), floor)
    far = float(np.abs(a - b).max(initial=0))
    return far / size if np.isfinite(far) and size else float("inf")


class Twin:
    """Another arithmetic: every number that is computed is moved by a unit in the last place, by chance."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)

    def __call__(self, x: Any, operands: list[Any]) -> Any:
        """Return a value rounded otherwise; whole numbers, and those chosen among the operands, are exact."""
        x = np.asarray(x)
        if x.dtype.kind != "f":
            return x
        exact = np.logical_or.reduce([x == np.rint(x), *(np.isin(x, operand) for operand in operands)])
        return np.where(exact, x, x * (1 + self.units(x)))

    def units(self, x: np.ndarray) -> np.ndarray:
        """A unit in the last place of 1 for every number, up or down."""
        return EPSILON * self.chance.choice([-1.0, 1.0], np.shape(x))

    def moved(self, params: Arrays, *, ties: bool) -> Arrays:
        """Parameters moved likewise; zeros, too, where `ties` are to be broken."""
        zero = 1.0 if ties else 0.0
        return {name: w + self.units(w) * np.where(w, w, zero) for name, w in params.items()}


@dataclass
class Trial:
    """One spec under test."""

    text: str
    seed: int
    folder: Path

    verify: bool = True

    def __post_init__(self) -> None:
        self.path = self.folder / "random.py"
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
            found = {"explain": trained(explain, examples, self.seed)}
        with stage("fast"):
            fast = as_module(self.compiled["fast"].script, self.path)
            found["fast"] = trained(fast, examples, self.seed)
        with stage("the interpreter"):
            reference = trained(self._interpreted(), examples, self.seed)
        if not all(np.isfinite(value).all() for value in reference.params.values()):
            return "diverges"
        for style, one in found.items():
            error, place = distance(one, reference)
            if not error <= TOLERANCE:
                if self._rounding_explains(error, examples):
                    return "multiplies rounding"
                raise Failure(f"{style} is wrong", f"{place} is off by {error:.1e}")
        return "ok"

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
                twin = Twin(number)
                moved = trained(self._interpreted(twin), examples, self.seed, params=twin.moved(start, ties=ties))
                errors.append(distance(moved, straight)[0])
        return max(errors)

    def _start(self, module: ModuleType, examples: Arrays) -> Arrays:
        params: Arrays = module.init_params(self.seed, np.float64)
        if any(INITS[p.init.name].rescaled for p in self.model.params.values()):
            params = module.unit_variance(params, examples)
        return params

    def check(self) -> str:
        """`dotnn check` passes, or has nothing to see where gradients are zero by construction."""
        with stage("check"):
            options = [Options(style, input_gradients=True) for style in STYLES]
            scripts = {o.style: compile_model(self.model, o).script for o in options}
            report = _check_scripts(self.model, "random", scripts, self.seed, {})
            if report.verdict is Verdict.PASS:
                return "ok"
            if _without_signal(report):
                return "no signal at this point"
            checks = sorted({c.id for c in report.checks if c.verdict is report.verdict})
        lines = [line for line in render_text(report).splitlines() if report.verdict.name in line or "script" in line]
        raise Failure(f"check says {report.verdict.name} {' '.join(checks)}", "\n".join(lines[:8]))

    def tensorflow(self) -> str:
        """`dotnn diff` finds no difference."""
        with stage("tensorflow"):
            with Peer(self.model) as peer:
                found = follow(self.model, peer, STEPS)
            if found.verdict == "FAIL":
                assert found.first is not None
                raise Failure(
                    f"tensorflow differs in the {found.first.kind}", f"{found.first} by {found.first.error:.1e}"
                )
        return "ok" if found.verdict == "PASS" else "multiplies rounding"


def _without_signal(report: Report) -> bool:
    """Whether all that the validator could not decide are gradients that the loss does not feel at its point."""
    undecided = [t for t in report.tensors if t.verdict is Verdict.INCONCLUSIVE]
    checks = [c for c in report.checks if c.verdict is Verdict.INCONCLUSIVE]
    open_only = report.verdict is Verdict.INCONCLUSIVE and not checks
    return open_only and all(tensor.reason == "no signal" for tensor in undecided)


def attempt(text: str, seed: int, *, check: bool = True, tensorflow: bool = False) -> dict[str, str]:
    """Try a spec; return what each property came to. Raises `Failure`.

    Numbers are always compared; with `check` the verifiers of the compiler and the validator run besides.
    """
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(text, seed, Path(folder), verify=check)
        found = {"numbers": trial.numbers()}
        if check:
            found["check"] = trial.check()
        if tensorflow:
            found["tensorflow"] = trial.tensorflow()
    return found
