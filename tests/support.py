"""What the tests of compiled scripts share: compile a spec, run it as a module, differentiate it independently."""

import os
import runpy
import shutil
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from functools import cache, lru_cache
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np
import pytest

from dotnn.core.diagnostics import CompileError, Source
from dotnn.model.model import Model
from dotnn.model.resolve import resolve
from dotnn.running.scripts import code_of
from dotnn.session import Compiled, Options, compile_model, compile_spec
from dotnn.syntax.parse import parse
from dotnn_runtime.script.selfcheck import generic_batch

ROOT = Path(__file__).parents[1]
SPECS = ROOT / "specs"
STYLES = ("explain", "fast")
IN_TURN = ("decoupled", "gan")
"""Specs with several sections of `train`; `tests/members/test_turns.py` and `dotnn check` look at these."""
OF_ONE = [path for path in sorted(SPECS.glob("*.nn")) if path.stem not in IN_TURN]
"""The specs with one."""
NUMPY_ONLY = ("early_stopping",)
"""Specs that the other target refuses: its epoch is one graph, and this one is validated after every update."""
STEP = 1e-20


def specs_for(target: str) -> list[Path]:
    """The specs that a target writes."""
    return [path for path in sorted(SPECS.glob("*.nn")) if target == "numpy" or path.stem not in NUMPY_ONLY]


REQUIRED = "DOTNN_REQUIRE_SYSTEM_TOOLS" in os.environ
"""`.ci/run` sets it once it has installed the system's programs that tests need: there, absence is a failure."""


def need(program: str) -> None:
    """Skip a test whose program is not there; where it must be, fail."""
    if not shutil.which(program):
        (pytest.fail if REQUIRED else pytest.skip)(f"{program} is not installed")


def compiled(
    path: Path, style: str = "explain", sets: tuple[str, ...] = (), *, input_gradients: bool = False
) -> Compiled:
    """The spec in the file `path`, compiled, with the verifier after every pass."""
    return _compiled(path, path.read_bytes(), style, sets, input_gradients)


@cache
def _compiled(path: Path, text: bytes, style: str, sets: tuple[str, ...], input_gradients: bool) -> Compiled:
    return compile_spec(str(path), Options(style, sets, input_gradients=input_gradients), check=True)


def script_of(
    path: Path, style: str = "explain", sets: tuple[str, ...] = (), *, input_gradients: bool = False
) -> ModuleType:
    """The script of the spec in the file `path`, as a fresh module."""
    return as_module(compiled(path, style, sets, input_gradients=input_gradients).script, path)


def model_of(text: str) -> Model:
    """The model of a spec that stands in no file."""
    source = Source("test.nn", text)
    return resolve(parse(source), source)[0]


def names_among(words: Iterable[str]) -> list[str]:
    """Return, in order, the words that the language lets a value be called: all are tried at once, or by halves."""
    words = sorted(words)
    if len(words) < 2:
        return [word for word in words if _are_names(word)]
    half = len(words) // 2
    return words if _are_names(*words) else names_among(words[:half]) + names_among(words[half:])


@cache
def _are_names(*words: str) -> bool:
    inputs, sums = "  ".join(f"input {word}: [1]" for word in words), " + ".join(words)
    spec = f"model M {{ {inputs}  target t: [1]  output y = ({sums}) -> dense(1) }} train {{ loss = mse(y, t) }}"
    try:
        model_of(spec)
    except CompileError:
        return False
    return True


def module_of(text: str, style: str = "explain", *, input_gradients: bool = False) -> ModuleType:
    """The script of a spec that stands in no file, as a module."""
    options = Options(style, input_gradients=input_gradients)
    return as_module(compile_model(model_of(text), options, check=True).script, ROOT / "test.nn")


def as_module(script: str, path: Path) -> ModuleType:
    """A script as a module that lies beside its spec, so that it finds the spec's data."""
    module = ModuleType("generated")
    module.__file__ = str(path.with_suffix(".py"))
    exec(_code(script), module.__dict__)
    return module


@lru_cache(maxsize=128)
def _code(script: str) -> CodeType:
    """A script's code, which many tests of one spec run."""
    return code_of(script)


def run_program(script: Path, *words: object, folder: Path) -> CompletedProcess[str]:
    """Run a script as a program, but in this process: TensorFlow takes five seconds to begin."""
    out, err, code, before = StringIO(), StringIO(), 0, (sys.argv, [*sys.path])
    sys.argv = [str(script), *map(str, words)]
    try:
        with chdir(folder), redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.simplefilter("ignore", DeprecationWarning)  # as Python shows them
            runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=err)
    finally:
        sys.argv, sys.path[:] = before
    return CompletedProcess(list(map(str, words)), code, out.getvalue(), err.getvalue())


def generic_point(module: ModuleType, seed: int = 0, examples: int = 5, spread: float = 0.5):
    """Random float64 parameters (no zeros, no ties) and a random batch of the declared kinds."""
    rng = np.random.default_rng(seed)
    params = {name: spread * rng.standard_normal(shape) for name, shape in module.PARAMS.items()}
    params |= {name: rng.uniform(0.5, 1.5, shape) for name, shape in getattr(module, "STATE", {}).items()}
    return params, generic_batch({**module.INPUTS, **module.TARGETS}, rng, examples)


def loss_at(module: ModuleType, params, batch, rng_seed: int | None = None):
    """The training loss, for real or complex parameters and inputs; with a seed in training mode."""
    rng = None if rng_seed is None else np.random.default_rng(rng_seed)
    _, cache = module.forward(params, batch, training=rng is not None, rng=rng)
    return module.total_loss(params, batch, cache)


def gradients(module: ModuleType, params, batch, rng_seed: int | None = None):
    """The gradients of the script; with a seed in training mode."""
    rng = None if rng_seed is None else np.random.default_rng(rng_seed)
    return module.loss_and_grads(params, batch, training=rng is not None, rng=rng)[1]


def values_in(function: str, call: Callable[[], Any]) -> dict[str, list[Any]]:
    """Return what each variable of a script's function held during a call, one value after the other."""
    held: dict[str, list[Any]] = defaultdict(list)

    def note(frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any]:
        for name, value in frame.f_locals.items():
            if not held[name] or held[name][-1] is not value:
                held[name].append(value)
        return note

    before = sys.gettrace()
    sys.settrace(lambda frame, *_: note if frame.f_code.co_name == function else None)
    try:
        call()
    finally:
        sys.settrace(before)
    return held


def forward_values(module: ModuleType, params, batch, **options: Any) -> dict[str, Any]:
    """Return every value that the script's `forward` computes, by the name of its variable; of several, the last."""
    held = values_in("forward", lambda: module.forward(params, batch, **options))
    return {name: values[-1] for name, values in held.items()}


def slope(loss, value: np.ndarray, direction: np.ndarray) -> float:
    """The derivative of `loss(array)` along a direction by the complex step (Squire and Trapp 1998)."""
    return float(np.imag(loss(value + 1j * STEP * direction)) / STEP)


def complex_gradient(loss, value: np.ndarray) -> np.ndarray:
    """The gradient of `loss(array)` by the complex step, element by element."""
    gradient = np.zeros(value.shape)
    for place in np.ndindex(value.shape):
        unit = np.zeros(value.shape)
        unit[place] = 1
        gradient[place] = slope(loss, value, unit)
    return gradient


def assert_gradients(module: ModuleType, params, batch, rng_seed: int | None = None, tolerance: float = 1e-10) -> None:
    """Compare all gradients of the script with complex steps: by element where there are few, else along directions.

    The error is relative to the parameter's gradient, or to 1e-4 of the largest one: less than that is noise.
    """
    grads = gradients(module, params, batch, rng_seed)
    assert set(module.PARAMS) <= set(grads)
    floor = 1e-4 * max([1e-100, *(np.abs(grad).max() for grad in grads.values())])
    for name, grad in grads.items():
        table = params if name in params else batch

        def loss(value, name=name, table=table):
            point = {key: v.astype(complex) if v.dtype.kind == "f" else v for key, v in table.items()}
            point[name] = value
            return loss_at(module, *((point, batch) if table is params else (params, point)), rng_seed)

        if grad.size <= 60:
            expected = complex_gradient(loss, table[name])
            atol = tolerance * max(np.abs(expected).max(), np.abs(grad).max(), floor)
            np.testing.assert_allclose(grad, expected, rtol=0, atol=atol, err_msg=name)
            continue
        for seed in range(3):
            direction = np.random.default_rng(seed).standard_normal(grad.shape)
            expected = slope(loss, table[name], direction)
            atol = tolerance * max(abs(expected), np.sqrt(np.sum(grad**2)), floor)
            np.testing.assert_allclose(np.sum(grad * direction), expected, rtol=0, atol=atol, err_msg=name)


@contextmanager
def double_precision() -> Iterator[None]:
    """Let Keras compute in float64: `floatx` says so of arrays, the policy, made at its first question, of layers."""
    import keras

    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
