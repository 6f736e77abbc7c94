"""A training as a script's own `fit` runs it, recorded step by step: what it was given, what it made of it.

The functions that `fit` calls are replaced by ones that look on. In the explain style these are the pass that returns
the gradients, and `update(params, grads, state)`; in the fast style what `make_step` and `make_update` return.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from ..reading.types import Array

Arrays = dict[str, Array]
PASSES = ("accumulated", "training_pass", "loss_and_grads")
MAKERS = ("make_accumulated", "make_step")
"""What makes a step of the fast style; one that is computed in pieces is made of steps itself."""
NOISY = ("noisy_pass", "at_noisy_weights")
"""What a pass at weights with noise is made by."""


@dataclass
class Step:
    """One step of training.

    `batch` holds its examples, and `rows` which they are, where the script says so; `before` the parameters and the
    state that it begins with, `draws` the generator as it was then. `grads` are the gradients of `loss`, `state` the
    statistics that the pass has renewed. `given` are the gradients that the update was handed, `after` what it and the
    constraints made of the parameters, `slots` of the optimizer's memories; None where training ended before it. `run`
    are the plain numbers in that memory, such as the length of the run. `piece` is the size of the pieces in which the
    batch is computed, 0 for a whole one; `held` are the parameters that the update changed, where they are others than
    the pass was given. `among` are the examples of the epoch, where they are changed at random.
    """

    batch: Arrays
    rows: Array | None
    before: Arrays
    draws: np.random.Generator
    loss: float = 0.0
    grads: Arrays = field(default_factory=dict)
    state: Arrays = field(default_factory=dict)
    given: Arrays | None = None
    after: Arrays = field(default_factory=dict)
    slots: dict[str, Arrays] = field(default_factory=dict)
    rate: float | None = None
    run: dict[str, int] = field(default_factory=dict)
    piece: int = 0
    held: Arrays = field(default_factory=dict)
    among: Arrays = field(default_factory=dict)

    def again(self) -> np.random.Generator:
        """Return a generator that draws what the step drew."""
        return copy.deepcopy(self.draws)


@dataclass(frozen=True)
class Training:
    """What `fit` did and returned: its steps, the trained parameters, the records of its epochs."""

    steps: tuple[Step, ...]
    params: Arrays
    history: tuple[Mapping[str, Any], ...]


class NeutralScaling(dict[str, Any]):
    """The scaling of arrays that are scaled already: figures in their own units are the figures themselves."""

    def __missing__(self, name: str) -> dict[str, Array]:
        return {"shift": np.zeros(()), "scale": np.ones(())}


def record(module: ModuleType, params: Arrays, parts: Mapping[str, Arrays], *, epochs: int, size: int) -> Training:
    """Run the `fit` of a module, in batches of `size` if it trains in batches, and return what it did.

    The module may be used again. Whatever `fit` raises comes through.
    """
    recorder = (_FastRecorder if hasattr(module, "make_step") else _Recorder)(module, parts["train"])
    names = vars(module)
    saved = {
        name: names[name]
        for name in (*PASSES, *MAKERS, "make_update", "update", "at_noisy_weights", "augment", "BATCH_SIZE")
        if name in names
    }
    try:
        if saved.get("BATCH_SIZE"):
            names["BATCH_SIZE"] = size
        recorder.watch()
        if "augment" in saved:
            names["augment"] = recorder.augmenting(saved["augment"])
        own = {name: w.copy() for name, w in params.items()}
        shown = {part: {name: a.copy() for name, a in arrays.items()} for part, arrays in parts.items()}
        trained, history = fit_of(module)(own, shown, NeutralScaling(), epochs=epochs, seed=0)
        recorder.end()
    finally:
        names.update(saved)
    return Training(tuple(recorder.steps), _copied(trained), tuple(dict(r) for r in history))


def trains(module: ModuleType) -> bool:
    """Whether a script has a training that can be recorded."""
    return hasattr(module, "fit") or (hasattr(module, "train") and hasattr(module, "prepare"))


def fit_of(module: ModuleType) -> Callable[..., Any]:
    """Return the training on prepared parts: `fit`, or `train` of a script without one, which prepares nothing then."""
    if hasattr(module, "fit"):
        return module.fit  # type: ignore[no-any-return]

    def fit(params: Arrays, parts: Mapping[str, Arrays], scaling: Any, *, epochs: int, seed: int) -> Any:
        prepare, names = module.prepare, vars(module)
        names["prepare"] = lambda data, dtype: (parts, scaling)
        try:
            return module.train({}, params=params, epochs=epochs, seed=seed, dtype=np.float64)
        finally:
            names["prepare"] = prepare

    return fit


class _Recorder:
    """Looks on while a script of the explain style trains."""

    def __init__(self, module: ModuleType, examples: Arrays) -> None:
        self.module, self.examples = module, examples
        self.steps: list[Step] = []
        self.params: Arrays = {}
        self.among: Arrays = {}
        self.inside = False

    def watch(self) -> None:
        """Replace the functions that `fit` calls."""
        names = vars(self.module)
        for name in PASSES:
            if name in names:
                names[name] = self._pass(names[name], in_pieces=name == "accumulated")
        names["update"] = self._update(names["update"])

    def augmenting(self, change: Callable[..., Any]) -> Callable[..., Any]:
        """Look on while the examples of an epoch are changed at random."""

        def watched(examples: Arrays, rng: np.random.Generator) -> Arrays:
            seen: Arrays = change(examples, rng)
            self.examples = self.among = _copied(seen)
            return seen

        return watched

    def end(self) -> None:
        """Complete the last step."""
        if self.steps and self.steps[-1].given is not None and not self.steps[-1].after:
            self.steps[-1].after = _copied(self.params)

    def _pass(self, run: Callable[..., Any], *, in_pieces: bool) -> Callable[..., Any]:
        def watched(params: Arrays, batch: Arrays, *, rng: Any = None, **options: Any) -> Any:
            if self.inside:
                return run(params, batch, rng=rng, **options)
            self.inside = True
            step = self.begin(params, _copied(batch), None, rng)
            step.piece = self.module.BATCH_SIZE if in_pieces else 0
            loss, grads = run(params, batch, rng=rng, **options)
            self.inside = False
            step.loss, step.grads = float(loss), _copied(grads)
            step.state = {name: w.copy() for name, w in params.items() if name in self._state}
            return loss, grads

        return watched

    def _update(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def watched(params: Arrays, grads: Arrays, state: Any, *more: Any, **options: Any) -> Any:
            step = self.steps[-1]
            step.given, step.rate, step.held = _copied(grads), options.get("lr"), self.held(params)
            result = run(params, grads, state, *more, **options)
            step.slots = {slot: _copied(arrays) for slot, arrays in state.items() if isinstance(arrays, Mapping)}
            step.run = _numbers(state)
            self.params = params
            return result

        return watched

    def held(self, params: Arrays) -> Arrays:
        """Return the parameters that an update is given, where a pass is given others: those with noise."""
        return _copied(params) if any(hasattr(self.module, name) for name in NOISY) else {}

    @property
    def _state(self) -> Mapping[str, Any]:
        return getattr(self.module, "STATE", {})

    def begin(self, params: Arrays, batch: Arrays, rows: Array | None, rng: Any) -> Step:
        """Begin a step; what the one before has come to can be seen now."""
        self.params = self.params or params
        self.end()
        self.params = params
        self.steps.append(Step(batch, rows, _copied(params), copy.deepcopy(rng), among=self.among))
        return self.steps[-1]


class _FastRecorder(_Recorder):
    """Looks on while a script of the fast style trains: its arrays are views of buffers that every step fills anew."""

    def watch(self) -> None:
        """Replace the functions that make the step and the update."""
        names = vars(self.module)
        self.lr = 1.0
        maker = next(name for name in MAKERS if name in names)
        names[maker] = self._make_step(names[maker], in_pieces=maker != "make_step")
        names["make_update"] = self._make_update(self.module.make_update)
        if "at_noisy_weights" in names:
            names["at_noisy_weights"] = self._noisy(names["at_noisy_weights"])

    def _noisy(self, make: Callable[..., Any]) -> Callable[..., Any]:
        """Complete a step before the weights get the noise of the next one."""

        def watched(*arguments: Any) -> Any:
            run = make(*arguments)

            def noisy_step(chosen: Any, rng: Any) -> Any:
                self.end()
                return run(chosen, rng)

            return noisy_step

        return watched

    def _make_step(self, make: Callable[..., Any], *, in_pieces: bool) -> Callable[..., Any]:
        def watched(params: Arrays, grads: Arrays, arrays: Any, size: Any = None, **options: Any) -> Any:
            run, self.lr, self.grads = make(params, grads, arrays, size, **options), options.get("d_loss", 1.0), grads
            own = dict(grads)  # those of inputs are another step's once that is made

            def step(chosen: Any = None, rng: Any = None) -> Any:
                rows = slice(None) if chosen is None else chosen
                batch = {name: values[rows].copy() for name, values in self.examples.items()}
                begun = self.begin(params, batch, None if chosen is None else np.array(chosen), rng)
                begun.piece = size if in_pieces else 0
                begun.loss = run(chosen, rng)
                begun.grads = {name: g / self.lr for name, g in own.items()}
                begun.state = {name: w.copy() for name, w in params.items() if name in self._state}
                return begun.loss

            return step

        return watched

    def _make_update(self, make: Callable[..., Any]) -> Callable[..., Any]:
        def watched(w: Array, g: Array, state: Any, params: Arrays) -> Any:
            run = make(w, g, state, params)
            views = {name: params[name] for name in self.module.PARAMS}

            def update(*rate: float) -> Any:
                step = self.steps[-1]
                step.given = {name: self.grads[name] / self.lr for name in views}
                step.rate, step.held = float(rate[0]) if rate else None, self.held(params)
                result = run(*rate)
                step.slots = {slot: _named(a, w, views) for slot, a in state.items() if isinstance(a, np.ndarray)}
                step.run = _numbers(state)
                return result

            return update

        return watched


def _numbers(state: Mapping[str, Any]) -> dict[str, int]:
    """Return the whole numbers in an optimizer's memory."""
    return {name: value for name, value in state.items() if isinstance(value, int)}


def _named(flat: Array, w: Array, views: Arrays) -> Arrays:
    """Return the pieces of a memory that lies like the buffer `w`, by the parameters that are `views` of it."""
    start, size = w.__array_interface__["data"][0], w.itemsize
    places = {name: (v.__array_interface__["data"][0] - start) // size for name, v in views.items()}
    return {name: flat[at : at + views[name].size].reshape(views[name].shape).copy() for name, at in places.items()}


def _copied(arrays: Mapping[str, Any]) -> Arrays:
    return {name: np.array(value) for name, value in arrays.items()}
