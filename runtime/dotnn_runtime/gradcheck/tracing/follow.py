"""Following a run of a script: every assignment of every call, loop and turn, with what it made and from what.

The one tracing engine of the blame. A `Follower` holds a woven copy of a script; `follow` runs it forward and backward
with arrays that remember how they were made, `replay` runs the backward pass alone, with the arrays of the script, and
may hand in other values at chosen events: the right cotangent where a line made a wrong one.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

from ..reading.types import Array, Key, Point
from .reporting import Reporter
from .run import Overrides, Place, Replay, Run
from .traced import TracedScript
from .values import (
    RECORDER,
    FollowedNumpy,
    Node,
    differentiate,
    followed,
    new_node,
    node_of,
    stripped,
)


class Follower(Reporter):
    """Runs a woven script, and collects what it reports."""

    def __init__(self, script: TracedScript) -> None:
        super().__init__(script)
        self.numpy_names = [name for name, value in vars(script.woven.module).items() if value is np]

    # ------------------------------------------------------------------------------------------------ runs

    def follow(
        self, point: Point, overrides: Overrides | None = None, shifts: Mapping[Key, Array] | None = None
    ) -> Run:
        """Run forward at a point, and backward where the script has that; differentiate the forward pass."""
        run = Run()
        self.shifts = shifts or {}
        self._begin(run, overrides or {})
        params = {name: _leaf(value) for name, value in point.params.items()}
        batch = {name: _leaf(value) for name, value in point.batch.items()}
        run.params, run.inputs = _nodes(params), _nodes(batch)
        seed = _leaf(np.array(1.0))
        seed.node.seeded = True
        self._with_followed_numpy(lambda: self._both(run, params, batch, point, seed))
        if run.loss is not None:
            run.nodes = differentiate(run.loss)
        run.link()
        return run

    def _both(self, run: Run, params: Any, batch: Any, point: Point, seed: Any) -> None:
        rng = np.random.default_rng(point.rng_seed)
        RECORDER.forward, RECORDER.frame = True, 0
        with self.script.woven.heard_by(self) as module:
            _, cache = module.forward(params, batch, training=point.training, rng=rng)
            run.loss = node_of(module.total_loss(params, batch, cache))
            run.start_of_backward = len(run.events)
            if not self.script.explains:
                return
            RECORDER.forward = False
            self._go_back()
            try:
                run.grads = module.backward(params, batch, cache, seed)
            except (Exception, SystemExit) as error:
                run.error = error
            finally:
                RECORDER.forward = True

    def prepare(self, point: Point, shifts: Mapping[Key, Array] | None = None) -> Replay:
        """Run forward with plain arrays; return what runs the backward pass behind it, as often as it is called."""
        self._begin(Run(), {})
        self.shifts = shifts or {}
        rng = np.random.default_rng(point.rng_seed)
        with self.script.woven.heard_by(self) as module:
            _, cache = module.forward(point.params, point.batch, training=point.training, rng=rng)
        given = pickle.loads(pickle.dumps((point.params, point.batch, cache)))
        before = pickle.dumps(given)
        for array in _arrays_in(given):
            array.flags.writeable = False  # another version of a line may write into what all runs read
        writes = isinstance(self._replay(given, {}, None, 1.0, None).error, ValueError)

        def replay(
            overrides: Overrides,
            until: Place | None = None,
            seed: float = 1.0,
            kept: Collection[Place] | None = None,
        ) -> Run:
            return self._replay(pickle.loads(before) if writes else given, overrides, until, seed, kept)

        return replay

    def _replay(
        self, given: Any, overrides: Overrides, until: Place | None, seed: float, kept: Collection[Place] | None
    ) -> Run:
        run = Run()
        self.kept = kept
        self._begin(run, overrides)
        self._go_back()
        self.until = until
        try:
            with self.script.woven.heard_by(self) as module:
                run.grads = module.backward(*given, np.float64(seed))
        except (Exception, SystemExit) as error:
            run.error = error
        finally:
            self.until = self.kept = None
        return run

    def _with_followed_numpy(self, work: Callable[[], None]) -> None:
        names = vars(self.script.woven.module)
        stop = names.get("stop_gradient")
        self._following = True
        try:
            names.update(dict.fromkeys(self.numpy_names, FollowedNumpy()))
            if stop is not None:
                names["stop_gradient"] = lambda x, *more: followed(np.array(stripped(x)), None)
            work()
        finally:
            self._following = False
            names.update(dict.fromkeys(self.numpy_names, np))
            if stop is not None:
                names["stop_gradient"] = stop


def _leaf(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return followed(value.copy(), new_node([], None))
    return value


def _nodes(values: Mapping[str, Any]) -> dict[str, Node]:
    return {name: node for name, value in values.items() if (node := node_of(value)) is not None}


def _arrays_in(value: Any) -> Iterator[Array]:
    """Yield the arrays that dicts, lists and tuples hold."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict | list | tuple):
        for v in value.values() if isinstance(value, dict) else value:
            yield from _arrays_in(v)
