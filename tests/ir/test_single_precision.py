"""Fast scripts train and predict in single precision throughout: no array that a step goes through is of doubles."""

import inspect
from types import ModuleType

import numpy as np
import pytest
from support import OF_ONE, as_module

from dotnn.session import Options, compile_spec
from dotnn_runtime.script.buffers import flat_arrays
from dotnn_runtime.script.selfcheck import generic_batch


def held(function) -> dict[str, np.ndarray]:
    """The arrays that a function that was made has in its closure, those in lists and dicts too, by their names."""
    cells = (
        {}
        if function.__closure__ is None
        else dict(zip(function.__code__.co_freevars, (c.cell_contents for c in function.__closure__), strict=True))
    )
    return {f"{name}{place}": array for name, value in cells.items() for place, array in arrays_in(value)}


def arrays_in(value, place=""):
    if isinstance(value, np.ndarray):
        yield place, value
    elif isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from arrays_in(item, f"{place}[{key}]")


def assert_single(found: dict[str, np.ndarray]) -> None:
    assert found
    wide = {name: array.dtype for name, array in found.items() if array.dtype.kind in "fc" and array.itemsize != 4}
    assert not wide


@pytest.mark.parametrize("path", OF_ONE, ids=lambda path: path.stem)
def test_every_array_of_a_step_an_update_and_a_prediction_is_of_single_precision(path):
    script: ModuleType = as_module(compile_spec(str(path), Options("fast")).script, path)
    batch = generic_batch({**script.INPUTS, **script.TARGETS}, np.random.default_rng(0), 4)
    batch = {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in batch.items()}
    (w, params), (g, grads) = (flat_arrays(script.PARAMS, np.dtype(np.float32)) for _ in range(2))
    for name, start in script.init_params(0, np.float32).items():
        assert start.dtype == np.float32
        if name in params:
            params[name][...] = start
        else:
            params[name] = start
    step = script.make_step(params, grads, script.training_arrays(batch, np.dtype(np.float32)))
    step(None, np.random.default_rng(1))
    assert_single(held(step))
    memory = script.optimizer_state(w)
    update = script.make_update(w, g, memory, params)
    update(*[0.01] * len(inspect.signature(update).parameters))  # the learning rate, where it changes
    assert_single(held(update) | dict(arrays_in(memory)))
    assert w.dtype == np.float32
    run = script.make_forward(params, 4)
    inputs = {name: batch[name] for name in script.INPUTS}
    values = run(inputs)
    assert_single(held(run) | values)
