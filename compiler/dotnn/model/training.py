"""How a network is trained: what the `train` section says, with all names bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dotnn.core.arguments import Bound
from dotnn.core.diagnostics import Span
from dotnn.ir.definition import Written
from dotnn.ir.expr import Expr
from dotnn.ir.tensor import Attrs
from dotnn.library.clips import Clip
from dotnn.library.losses import Loss
from dotnn.library.metrics import Metric
from dotnn.library.optimizers import Optimizer
from dotnn.library.schedules import Schedule


@dataclass(frozen=True)
class Read:
    """What a name of a formula is: a value of the network, by its path, or a target and what it holds."""

    value: str = ""
    target: str = ""
    kind: str = ""

    @property
    def name(self) -> str:
        """The path or the name; "" where it is nothing."""
        return self.value or self.target

    def __bool__(self) -> bool:
        return bool(self.name)


@dataclass(frozen=True)
class LossTerm:
    """`weight * loss(output, target)`; `target_kind` is how the target's values are to be drawn and checked.

    A loss that the spec defines has a `formula` over the names in `reads`, in which its arguments are numbers. Its
    output is then the first value that it reads, its target the first target; "" where there is none. With a `mask`
    only what it marks counts.
    """

    loss: Loss
    attrs: Attrs
    weight: float
    output: str
    target: str
    target_kind: str
    span: Span
    formula: Expr | None = None
    reads: Mapping[str, Read] = field(default_factory=dict)
    mask: Read = Read()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The paths of all values of the network that are compared with something."""
        return (self.output,) if self.formula is None else tuple(r.value for r in self.reads.values() if r.value)

    @cached_property
    def targets(self) -> Mapping[str, str]:
        """What each target holds that it reads."""
        reads = [Read(target=self.target, kind=self.target_kind)] if self.formula is None else [*self.reads.values()]
        return {r.target: r.kind for r in (*reads, self.mask) if r.target}

    @property
    def operands(self) -> tuple[str, ...]:
        """What it is given, by path or by name."""
        masked = [f"mask = {self.mask.name}"] if self.mask.name else []
        if self.formula is None:
            return self.output, self.target, *masked
        return *(read.name for read in self.reads.values()), *masked


@dataclass(frozen=True)
class MetricTerm:
    """A metric of an output against its target; `function` is the helper that computes it, with `attrs` by name.

    Of a metric that the spec defines, `written` is that function. With a `mask` only what it marks counts, and where
    the examples have weights, they count as often as the target called `counts` says.
    """

    key: str
    metric: Metric
    output: str
    target: str
    function: str
    attrs: Attrs = field(default_factory=dict)
    written: Written | None = None
    mask: Read = Read()
    counts: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        """The paths of what it reads of the network."""
        return self.output, *([self.mask.value] if self.mask.value else [])

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets that it reads."""
        return tuple(name for name in (self.target, self.mask.target, self.counts) if name)


@dataclass(frozen=True)
class StopWhen:
    """Stop once `quantity op threshold` holds after an epoch."""

    quantity: str
    op: str
    threshold: float


@dataclass(frozen=True)
class EarlyStop:
    """Stop when `quantity` has not improved for `patience` epochs; the best parameters are returned."""

    quantity: str
    patience: int
    min_delta: float
    better: str


@dataclass(frozen=True)
class StopAfter:
    """Stop after the first epoch that ends later than this many minutes after the start."""

    minutes: float


Stop = StopWhen | EarlyStop | StopAfter


@dataclass(frozen=True)
class Checkpoint:
    """Save the state of the training after every `every` epochs; `best_by` names the quantity whose best is kept."""

    every: int
    best_by: str = ""


@dataclass(frozen=True)
class Chosen:
    """The value of a setting of the training loop, and its place in the spec."""

    value: Any
    span: Span


@dataclass(frozen=True)
class Handed:
    """What a section takes as a target from the last pass of an earlier one, `source`: the gradient of its loss at the
    output `of`."""

    name: str
    of: str
    source: str


@dataclass(frozen=True)
class Train:
    """How the network is trained. `batch` 0 means all examples at once; the optimizer's `lr` may be a schedule.

    `shuffle` is whether a new order is drawn every epoch, or "batches": one of batches that stay as they are.
    `settings` are those of `model.settings` that the spec has, by name.
    """

    losses: tuple[LossTerm, ...]
    optimizer: Bound[Optimizer]
    weight_decay: float
    epochs: int
    batch: int
    shuffle: bool | str
    seed: int
    stops: tuple[Stop, ...]
    metrics: tuple[MetricTerm, ...]
    clip: Bound[Clip] | None = None
    checkpoint: Checkpoint | None = None
    settings: Mapping[str, Chosen] = field(default_factory=dict)

    def setting(self, name: str, otherwise: Any = None) -> Any:
        """Return the value of a setting, or another one where the spec does not have it."""
        return self.settings[name].value if name in self.settings else otherwise

    @property
    def update_size(self) -> int:
        """How many examples an update is of; 0: all."""
        return self.batch * int(self.setting("accumulate", 1))

    @property
    def schedule(self) -> Bound[Schedule] | None:
        """The schedule of the learning rate, where it is no plain number."""
        lr = self.optimizer.attrs["lr"]
        return lr if isinstance(lr, Bound) else None


@dataclass(frozen=True)
class Turn:
    """A named `train` section, one of several that take turns.

    On each batch it takes `steps` updates of the parameters in `updates`, as `train` says; `handed` are targets of its
    losses that earlier sections compute.
    """

    name: str
    train: Train
    steps: int
    updates: tuple[str, ...]
    handed: tuple[Handed, ...]
    span: Span
