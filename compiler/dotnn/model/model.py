"""The resolved model: what the rest of the compiler reads. No syntax, no unresolved name is left in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from dotnn.core.arguments import Bound, show_call
from dotnn.core.diagnostics import Source, Span
from dotnn.ir.tensor import Attrs, TensorType
from dotnn.library.augmentations import Augmentation
from dotnn.library.constraints import Constraint
from dotnn.library.inits import Init
from dotnn.library.layers import Layer
from dotnn.library.penalties import Penalty
from dotnn.library.preparations import Preparation
from dotnn.library.sources import SOURCES, DataSource
from dotnn.model.training import Checkpoint as Checkpoint
from dotnn.model.training import Chosen as Chosen
from dotnn.model.training import EarlyStop as EarlyStop
from dotnn.model.training import Handed as Handed
from dotnn.model.training import LossTerm as LossTerm
from dotnn.model.training import MetricTerm as MetricTerm
from dotnn.model.training import Read as Read
from dotnn.model.training import Stop as Stop
from dotnn.model.training import StopAfter as StopAfter
from dotnn.model.training import StopWhen as StopWhen
from dotnn.model.training import Train as Train
from dotnn.model.training import Turn as Turn

Nested: TypeAlias = "int | float | list[Nested]"
"""An array as nested lists of numbers."""


@dataclass(frozen=True)
class Declared:
    """An `input` or `target`. `kind` is "real", "int", "category", "date" or "class"; `bound` is the N of `class[N]`,
    `class[steps, N]` and `category[N]` (0: none)."""

    name: str
    role: str
    kind: str
    type: TensorType
    bound: int
    span: Span

    @property
    def shown(self) -> str:
        """What the declaration says of one example, as the spec would have it: `[2]`, `class[10]`, `class[12, 30]`."""
        if self.kind == "date":
            return self.kind
        sizes = [*self.type.example, *([self.bound] if self.bound else [])]
        return f"{'' if self.kind == 'real' else self.kind}{sizes}"


@dataclass(frozen=True)
class Parameter:
    """One array to be trained, or state; `decayed` if decoupled weight decay acts on it.

    State is what is not `trained`: what training renews, and what the spec has `frozen`.
    """

    name: str
    shape: tuple[int, ...]
    init: Bound[Init]
    penalty: Bound[Penalty] | None
    span: Span
    decayed: bool = False
    constraint: Bound[Constraint] | None = None
    trained: bool = True
    frozen: bool = False

    @property
    def carried(self) -> bool:
        """Whether it is what a stateful layer carries from batch to batch."""
        return not self.trained and self.name.endswith(".carried")

    @property
    def renewed(self) -> bool:
        """Whether it is state that a training step replaces."""
        return not (self.trained or self.frozen)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Use:
    """One use of a block: `inputs` maps its own names of its inputs to the paths of what it was given.

    The paths of what is computed in it begin with `path`, the names of its parameters with `params`.
    """

    block: str
    args: Mapping[str, object]
    inputs: Mapping[str, str]
    path: str
    params: str
    span: Span
    statement: Span | None
    declared: Span

    def __hash__(self) -> int:
        return hash((self.block, self.path, self.span))


@dataclass(frozen=True)
class Places:
    """Where a step is in the spec: in which statement, and in which uses of blocks, from the outside in."""

    statement: Span | None = None
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True)
class Step:
    """One layer applied to earlier values, and to `weights`: parameters that it does not own.

    `params` maps the layer's short names to full names. A layer is `frozen` if the spec freezes it as a whole.
    """

    path: str
    layer: Layer
    attrs: Attrs
    ins: tuple[str, ...]
    params: Mapping[str, str]
    type: TensorType
    span: Span
    places: Places = Places()
    weights: tuple[str, ...] = ()
    frozen: bool = False

    @property
    def call(self) -> str:
        """The layer's call as a person would write it."""
        return show_call(self.layer.name, self.layer.args, dict(self.attrs))


@dataclass(frozen=True)
class FileSource:
    """A file of examples, such as `csv("file", x = [columns])`; `format` is a name in `SOURCES`.

    `places` says where each column or key is in the text of the spec, `options` how the file is written, where that
    is not as usual. The rows of a series are seen through `windows`: an input or target has the steps from t + start
    to before t + stop. Where each array has a file of its own, `fields` name the files, and `formats` their sources;
    `path` is then the first.
    """

    format: str
    path: str
    fields: Mapping[str, tuple[str, ...]]
    span: Span
    places: Mapping[str, Span] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    windows: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)

    @property
    def entry(self) -> DataSource:
        """The registered format."""
        return SOURCES[self.format]

    @property
    def file(self) -> str:
        """The file that a script reads."""
        return f"{self.path}.npz" if self.entry.converted else self.path

    def command(self, model: Model) -> str:
        """Return the command that makes the file that a script reads, "" where the spec's own is read."""
        name = next((name for name, keys in self.fields.items() if keys == self.entry.keys[:1]), "")
        declared = model.inputs.get(name) or model.targets.get(name)
        if self.entry.converted is None or declared is None:
            return ""
        own = model.data.source if model.data else None
        like = own.file if own is not None and own.path != self.path else ""
        return self.entry.converted(self.path, declared.type.example, like)

    @property
    def paths(self) -> dict[str, Span]:
        """The files, with their places in the spec."""
        if not self.formats:
            return {self.path: self.span}
        return {file: self.places[file] for (file,) in self.fields.values()}

    def reader(self, name: str) -> DataSource:
        """Return the format of the file of one array."""
        return SOURCES[self.formats[name]]

    def path_of(self, name: str) -> str:
        """Return the file of an input or target, as the spec names it."""
        return self.fields[name][0] if self.formats else self.path

    @property
    def length(self) -> int:
        """How many steps a window takes; 1 where there are none."""
        spans = self.windows.values()
        return max(stop for _, stop in spans) - min(start for start, _ in spans) if spans else 1

    def numbers(self, cells: str) -> str:
        """Return the expression of the cells of a table in which numbers are written as Python writes them."""
        return self.entry.numbers(self.options).replace("{cells}", cells)


@dataclass(frozen=True)
class Split:
    """Fractions of the examples for training, validation and test.

    `stratify` names a target or is empty. In an `order`, "file" or "column", nothing is drawn; `grouped` examples of
    one group go to one part.
    """

    fractions: Mapping[str, float]
    stratify: str
    seed: int
    order: str = ""
    grouped: bool = False
    span: Span | None = field(default=None)


@dataclass(frozen=True)
class Augmented:
    """One way in which the training examples are changed at random, and the arrays that are, all of them alike."""

    way: Bound[Augmentation]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Data:
    """Where examples come from: `inline` arrays (nested lists) or a file, and what is done to them.

    `prepared` has the preparations of an input or target, in order. `made_of` says of an input that has no data of its
    own of which other one it is made; `beside` has the kinds of arrays that are read beside inputs and targets, and
    `files` the parts that have a file of their own. `take` is how many examples are left to train on, 0: all;
    `augment` is what is done to these at random, in order.
    """

    inline: Mapping[str, list[Nested]] = field(default_factory=dict)
    source: FileSource | None = None
    prepared: Mapping[str, tuple[Bound[Preparation], ...]] = field(default_factory=dict)
    made_of: Mapping[str, str] = field(default_factory=dict)
    split: Split | None = None
    beside: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FileSource] = field(default_factory=dict)
    take: int = 0
    augment: tuple[Augmented, ...] = ()

    @property
    def sorted(self) -> bool:
        """Whether the rows of a series are put in the order of a column before they are seen through windows."""
        return bool(self.source and self.source.windows) and "order" in self.beside

    @property
    def in_groups(self) -> bool:
        """Whether a table holds several series, told apart by a column."""
        return bool(self.source and self.source.windows) and "groups" in self.beside

    def has_part(self, name: str) -> bool:
        """Whether examples are held back as a part: "val" or "test"."""
        return name in self.files or (self.split is not None and self.split.fractions[name] > 0)


@dataclass(frozen=True)
class Check:
    """How the gradients are to be checked. `samples` 0 leaves the number of elements to the validator."""

    samples: int = 0
    seed: int = 0
    against: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """A whole experiment. `constants` are the values of `params` after `--set`, `outputs` name -> step or input.

    `packages` has the version of every package whose members it may use, `sizes` where the data say the constants that
    the spec leaves open.

    Where several named sections take turns, `turns` has them, and `train` says what they have in common: its losses and
    metrics are those of all. The model of one of them alone `hands` on what later ones read.
    """

    source: Source
    name: str
    constants: Mapping[str, object]
    inputs: Mapping[str, Declared]
    targets: Mapping[str, Declared]
    steps: tuple[Step, ...]
    outputs: Mapping[str, str]
    params: Mapping[str, Parameter]
    train: Train
    data: Data | None
    check: Check
    packages: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()
    hands: tuple[Handed, ...] = ()

    @property
    def size(self) -> int:
        """The number of trained numbers."""
        return sum(p.size for p in self.params.values() if p.trained)

    @property
    def weights(self) -> str:
        """The name of the target that says how much each example counts; "" where all count alike."""
        return next((name for name, declared in self.targets.items() if declared.kind == "weight"), "")

    def type_of(self, read: Read) -> TensorType:
        """Return the type of a value, an input or a target."""
        declared = self.targets.get(read.target) or self.inputs.get(read.value)
        return declared.type if declared else next(step.type for step in self.steps if step.path == read.value)

    def target_kind(self, name: str) -> str:
        """Return the kind of a target as `docs/script.md` lists them."""
        declared = self.targets[name]
        plain = f"class:{declared.bound}" if declared.kind == "class" else declared.kind
        return next((t.targets[name] for t in self.train.losses if name in t.targets), plain)

    def raw_kind(self, name: str) -> str:
        """Return the kind that the data of a target must be of: `binary` where a metric takes numbers for classes."""
        kind = self.target_kind(name)
        metrics = [m.metric for m in self.train.metrics if m.target == name]
        return "binary" if kind == "real" and any("real" not in m.functions for m in metrics) else kind

    def input_kind(self, name: str) -> str:
        """Return the kind of an input as `docs/script.md` lists them."""
        declared = self.inputs[name]
        if declared.kind in ("category", "date"):
            return f"int:{declared.bound}" if declared.kind == "category" else "real"
        bounds = [count for count, _ in self.bounds(name)]
        return f"{declared.kind}:{min(bounds)}" if bounds else declared.kind

    def bounds(self, name: str) -> list[tuple[int, Step]]:
        """Return how many symbols the layers know that read an input of whole numbers, with these layers."""
        return [
            (step.attrs[step.layer.bounds], step)
            for step in self.steps
            if step.layer.bounds and name in self._ids(step)
        ]

    def _ids(self, step: Step) -> list[str]:
        """Return where the whole numbers that a step reads come from, through steps that only rearrange them."""
        makers = {s.path: s for s in self.steps}
        path = step.ins[0]
        while path in makers:
            path = makers[path].ins[0]
        return [path]
