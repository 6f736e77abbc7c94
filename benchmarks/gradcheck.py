"""Which faults do gradient checkers find? Ours beside those of other libraries, on the same faulty gradients.

    python benchmarks/gradcheck.py                  # faults, then cost; all peers that are installed
    python benchmarks/gradcheck.py --every 4        # a quarter of the faults
    python benchmarks/gradcheck.py --only cost --limit 60

The faults are those of the mutation tests: the first of every kind on every network there, each as a pair of functions
(loss, gradient), scaled so that the loss is 1, and again so that it is 0.001. `dotnn` sees the pair, as the peers do;
`dotnn check` sees the script. The exit code is 1 if `dotnn check` misses a fault, whether a peer finds it or not, or if
ours calls a right gradient wrong. How every peer is called stands in checkers.py.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("compiler", "runtime", "tests")]

import numpy as np
from checkers import CHECKERS, OURS, Pair
from mutation.subjects import BATCH, SUBJECTS, right_script
from mutation.suite import equivalent, line_mutants

from dotnn.core.diagnostics import Source
from dotnn.model.resolve import resolve
from dotnn.session import Options, compile_model
from dotnn.syntax.parse import parse
from dotnn_runtime.gradcheck import Verdict, check_script
from dotnn_runtime.gradcheck.probing.draws import generic_batch_size, generic_point

WHOLE = "dotnn check"
SCALES = (1.0, 1e-3)
WIDTHS = {1e3: 20, 1e5: 300, 1e6: 980}
"""Hidden units of a network of about so many parameters."""

MLP = """model MLP {{
  input  x: [20]
  target t: [10]
  output y = x -> dense({n}, tanh) -> dense({n}, tanh) -> dense(10)
}}
train {{ loss = mse(y, t) }}
"""


# ------------------------------------------------------------------------------------------------------- the faults


@dataclass(frozen=True)
class Case:
    """A script whose loss is about `scale`; `kind` says what is wrong with it, and is empty for a right one."""

    subject: str
    kind: str
    change: str
    script: str
    scale: float


def module_of(script: str) -> ModuleType:
    module = ModuleType("generated")
    exec(compile(script, "generated.py", "exec"), module.__dict__)
    return module


def point_of(module: ModuleType, batch_size: int | None, seed: int = 0):
    """Parameters, inputs and targets in general position, as the validator draws them."""
    shapes = [*module.PARAMS.values(), *(shape for _, shape in module.INPUTS.values())]
    rng = np.random.default_rng([seed, 0, 0])
    initial = module.init_params(seed, dtype=np.float64)
    size = batch_size or generic_batch_size(shapes)
    return generic_point(initial, module.INPUTS, module.TARGETS, batch_size=size, rng=rng)


def pair_of(script: str, batch_size: int | None = None) -> Pair:
    """The loss of a script as a function of its parameters and real inputs, and what it says is the gradient."""
    module = module_of(script)
    point = point_of(module, batch_size)
    inputs = {n: point.batch[n] for n, (kind, _) in module.INPUTS.items() if kind == "real"}

    def split(arrays):
        return {n: arrays[n] for n in module.PARAMS}, {**point.batch, **{n: arrays[n] for n in inputs if n in arrays}}

    def loss(arrays):
        params, batch = split(arrays)
        _, cache = module.forward(params, batch, training=True, rng=np.random.default_rng(point.rng_seed))
        return module.total_loss(params, batch, cache)

    def grads(arrays):
        rng = np.random.default_rng(point.rng_seed)
        return {k: np.asarray(g) for k, g in module.loss_and_grads(*split(arrays), training=True, rng=rng)[1].items()}

    names = grads({**point.params, **inputs})
    return Pair(loss, grads, {n: a for n, a in {**point.params, **inputs}.items() if n in names})


def scaled(script: str, factor: float) -> str:
    """The script with its loss times a factor, and every gradient with it."""
    before, found, after = script.partition("    return loss\n")
    assert found, script
    backward, found, rest = after.partition('every parameter."""\n')
    assert found, script
    return f"{before}    return {factor!r} * loss\n{backward}{found}    d_loss = {factor!r} * d_loss\n{rest}"


def cases(every: int) -> Iterator[Case]:
    """Every right script, then the first fault of every kind on every network, at both scales."""
    number = 0
    for subject in SUBJECTS:
        right = right_script(subject)
        pair = pair_of(right, BATCH.get(subject))
        base = float(pair.loss(pair.arrays))
        kinds: dict[str, tuple[str, str]] = {"": ("", right)}
        for mutant in line_mutants(subject):
            fresh = mutant.operator not in kinds and not equivalent(mutant)
            if fresh and runs(mutant.source, BATCH.get(subject)):
                kinds[mutant.operator] = mutant.change, mutant.source
        for kind, (change, script) in kinds.items():
            number += bool(kind)
            if not kind or number % every == 0:
                for scale in SCALES:
                    yield Case(subject, kind, change, scaled(script, scale / base), scale)


def runs(script: str, batch_size: int | None) -> bool:
    """Whether the fault leaves gradients of the right shapes: what stops with an error needs no checker."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pair = pair_of(script, batch_size)
            grads = pair.grads(pair.arrays)
    except Exception:
        return False
    return all(grads[n].shape == a.shape and np.isfinite(grads[n]).all() for n, a in pair.arrays.items())


def accepts(checker: str, case: Case) -> bool:
    """Whether a checker calls the gradient of this script right."""
    batch_size = BATCH.get(case.subject)
    if checker == WHOLE:
        verdict = check_script(case.script, f"{case.subject}.py", batch_size=batch_size).verdict
        return verdict is not Verdict.FAIL
    return bool(CHECKERS[checker][1](pair_of(case.script, batch_size)))


@dataclass
class Tally:
    """What every checker said: faults by kind and scale, those it accepted, and right gradients that it rejected."""

    faults: Counter = field(default_factory=Counter)
    missed: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    right: Counter = field(default_factory=Counter)
    alarms: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    missed_by_us: list[str] = field(default_factory=list)

    def take(self, case: Case, accepted: dict[str, bool]) -> None:
        if not case.kind:
            self.right[case.scale] += 1
            for name, fine in accepted.items():
                self.alarms[name][case.scale] += not fine
            return
        text = f"{case.subject}: {case.change}, loss {case.scale:g}"
        self.faults[case.kind, case.scale] += 1
        for name, fine in accepted.items():
            self.missed[name][case.kind, case.scale] += fine
        if accepted[WHOLE]:
            finders = [name for name, fine in accepted.items() if not fine]
            self.missed_by_us.append(f"{text}; found by {', '.join(finders) or 'none'}")


def compare(names: list[str], every: int) -> Tally:
    tally = Tally()
    for number, case in enumerate(cases(every)):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            tally.take(case, {name: accepts(name, case) for name in names})
        if number % 50 == 0:
            print(f"{number} scripts ...", file=sys.stderr, flush=True)
    return tally


def fault_lines(tally: Tally, names: list[str]) -> Iterator[list[str]]:
    yield ["fault", "scripts", *names]
    kinds = {kind: None for kind, _ in tally.faults}
    for kind in sorted(kinds):
        count = [tally.faults[kind, s] for s in SCALES]
        missed = {n: [tally.missed[n][kind, s] for s in SCALES] for n in names}
        yield [kind.replace("_", " "), both(count), *(both(missed[n]) if any(missed[n]) else "." for n in names)]
    total = [sum(n for (_, scale), n in tally.faults.items() if scale == s) for s in SCALES]
    lost = {n: [sum(m for (_, scale), m in tally.missed[n].items() if scale == s) for s in SCALES] for n in names}
    yield ["missed of all faults", both(total), *(both(lost[n]) for n in names)]
    alarms = {n: [tally.alarms[n][s] for s in SCALES] for n in names}
    yield ["false alarms", both([tally.right[s] for s in SCALES]), *(both(alarms[n]) for n in names)]


def both(counts: list[int]) -> str:
    return " / ".join(map(str, counts))


# --------------------------------------------------------------------------------------------------------- the cost


def mlp_script(parameters: float) -> str:
    text = MLP.format(n=WIDTHS[parameters])
    source = Source("mlp.nn", text)
    return compile_model(resolve(parse(source), source)[0], Options()).script


def cost(checker: str, parameters: float) -> dict[str, float]:
    """Check a right network once, and return the seconds it took and how often the loss was computed."""
    script = mlp_script(parameters)
    if checker == WHOLE:
        start = time.perf_counter()
        report = check_script(script, "mlp.py", v4=False)
        seconds, calls, fine = time.perf_counter() - start, report.cost_forwards, report.verdict is Verdict.PASS
    else:
        two = {"a": np.ones(2), "b": np.ones(3)}
        first = Pair(lambda v: sum((a * a).sum() for a in v.values()), lambda v: {n: 2 * a for n, a in v.items()}, two)
        CHECKERS[checker][1](first)  # the first call of a library pays for its imports
        pair = pair_of(script)
        start = time.perf_counter()
        fine = bool(CHECKERS[checker][1](pair))
        seconds, calls = time.perf_counter() - start, pair.losses
    return {"seconds": seconds, "calls": calls, "fine": fine}


def cost_cell(checker: str, parameters: float, limit: float) -> str:
    """The cost in a process of its own, so that it can be given up."""
    command = [sys.executable, __file__, "--one", checker, str(parameters)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit + 30)
        found = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return f"> {limit:g} s"
    except (IndexError, ValueError):
        print(done.stderr, file=sys.stderr)
        return "fails"
    if found["seconds"] > limit:
        return f"> {limit:g} s"
    remark = "" if found["fine"] else ", false alarm"
    return f"{found['seconds']:.2g} s, {found['calls']:,} forwards{remark}"


def cost_lines(names: list[str], limit: float) -> Iterator[list[str]]:
    yield ["parameters", *names]
    for parameters in WIDTHS:
        exact = sum(int(np.prod(s)) for s in module_of(mlp_script(parameters)).PARAMS.values())
        yield [f"{exact:,}", *(cost_cell(name, parameters, limit) for name in names)]


# --------------------------------------------------------------------------------------------------------- printing


def table(lines: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    rows = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines]
    return "\n".join([rows[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *rows[1:]])


def versions(names: list[str]) -> str:
    packages = {
        "numpy": None,
        **{package: None for name, (package, _) in CHECKERS.items() if package and name in names},
    }
    found = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages)
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, {found}"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=("faults", "cost"), help="one of the two tables")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th fault")
    parser.add_argument("--limit", type=float, default=60.0, metavar="S", help="seconds before a check is given up")
    parser.add_argument("--one", nargs=2, metavar=("CHECKER", "PARAMETERS"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.one:
        print(json.dumps(cost(options.one[0], float(options.one[1]))))
        return 0
    installed = {
        n: not package or importlib.util.find_spec(package) is not None for n, (package, _) in CHECKERS.items()
    }
    names = [WHOLE, *(n for n, there in installed.items() if there)]
    print(versions(names))
    absent = [n for n, there in installed.items() if not there]
    if absent:
        print(f"not installed, left out: {', '.join(absent)}")
    wrong = False
    if options.only != "cost":
        tally = compare(names, options.every)
        print(f"\nFaults missed, at a loss of {SCALES[0]:g} / {SCALES[1]:g}; a dot is none\n")
        print(table(list(fault_lines(tally, names))))
        print()
        for text in tally.missed_by_us:
            print(f"MISSED BY {WHOLE}: {text}")
        wrong = bool(tally.missed_by_us) or any(sum(tally.alarms[n].values()) for n in (WHOLE, OURS))
    if options.only != "faults":
        print(f"\nCost of one check of a right network, given up after {options.limit:g} s\n")
        print(table(list(cost_lines(names, options.limit))))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
