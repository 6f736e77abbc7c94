"""What a target is: all that dotnn knows of one language in which a spec can be written.

Nobody asks for the name of a target or a style: who needs to know something of it asks the object. A target is an
object in the `__init__` of its folder, which the registry finds; what it needs is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from dotnn.running.requirement import Requirement
from dotnn.targets.options import Option, Options

if TYPE_CHECKING:
    import numpy as np

    from dotnn.ir.graph import Graph
    from dotnn.model.model import Model
    from dotnn.passes.base import Pipeline
    from dotnn.running.peer import Peer

NO_WORDS: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Style:
    """One way in which a target writes a network.

    purpose what it is written for, as in "to be read"
    passes  (options, words that no value may be called) -> the passes that make the graph of the script
    step    the same for the graph of a training step, where that is another one
    predict (options, words, paths of what metrics read) -> the passes that make the graph of predictions, where that is
            another one
    stages  draft -> text, by the name under which `dotnn dump` shows it
    check   (draft, script) -> None: raises where the script is not as it was planned
    lacks   options of the target that mean nothing to it
    scaled  whether an optimizer's memories leave constant factors out
    in_place whether its `train` takes `copy=False`: the memory of large arrays is used, and what they held is lost
    """

    name: str
    purpose: str
    passes: Callable[[Options, frozenset[str]], Pipeline]
    step: Callable[[Options, frozenset[str]], Pipeline] | None = None
    predict: Callable[[Options, frozenset[str], tuple[str, ...]], Pipeline] | None = None
    stages: Mapping[str, Callable[[Draft], str]] = field(default_factory=dict)
    check: Callable[[Draft, str], None] | None = None
    lacks: tuple[str, ...] = ()
    scaled: bool = False
    in_place: bool = False

    def pipeline(self, options: Options, words: frozenset[str] = NO_WORDS) -> Pipeline:
        """Return the passes that make the graph of a training step."""
        return (self.step or self.passes)(options, words)


@dataclass(frozen=True)
class Draft:
    """A script that is about to be written.

    graph   what it computes;  step: what a training step of it computes;  prediction: what a prediction does
    values  the arrays of parameters that start from a file
    words   names of the spec that are words of the script, too
    large   whether the spec's data are so large that a script does better not to copy them
    parts   of sections that take turns, each as if it were the only one
    labels  the texts of classes by target, where the spec's own files have been read
    """

    model: Model
    target: Target
    style: Style
    options: Options
    graph: Graph
    step: Graph
    prediction: Graph
    values: Mapping[str, np.ndarray]
    words: frozenset[str] = NO_WORDS
    large: bool = False
    parts: Mapping[str, Draft] = field(default_factory=dict)
    labels: dict[str, list[str]] | None = None

    @property
    def facts(self) -> dict[str, object]:
        """What the head of the script says of how it was compiled."""
        options = self.options
        facts: dict[str, object] = {"target": self.target.name}
        facts |= {"style": self.style.name} if self.target.has_styles else {}
        facts |= {"set": [*options.sets]} if options.sets else {}
        return facts | dict(options.own) | ({"epochs": options.epochs} if options.epochs else {})


@dataclass(frozen=True)
class Framework:
    """A library with names of its own: `says` is (family, member) -> its name there, or how that member is written."""

    title: str
    says: Callable[[str, str], str]


@dataclass(frozen=True)
class Target:
    """One target.

    name       what the command line calls it;  title: what a sentence calls it
    write      draft -> the text of the script; raises `NamesMeet` where a value must be called otherwise, and
               `CompileError` with the spec's line for what it cannot write
    styles     first the one to read, last the one that `dotnn train` runs
    options    its own options of `dotnn compile`
    gradients  whether its scripts spell out the backward pass, so that `dotnn check` can prove it; the others are
               refused, because `reason`
    needs      what must be installed to run its scripts, besides NumPy
    framework  what its users call the members of the library, for the manual
    suffix     what is put behind the spec's name to name a script
    witness    (model, graph, script) -> the network, for its gradients and training to be compared with NumPy's
    precisions what its trainings may compute in, the usual one first
    results    files that only its trainings leave in a run folder, each with (script, parameters, where to write it)
    """

    name: str
    title: str
    write: Callable[[Draft], str]
    styles: tuple[Style, ...]
    options: tuple[Option, ...] = ()
    gradients: bool = False
    reason: str = ""
    needs: Requirement | None = None
    suffix: str = ""
    framework: Framework | None = None
    witness: Callable[[Model, Graph, str], Peer] | None = None
    precisions: tuple[str, ...] = ("float32", "float64")
    results: Mapping[str, Callable[[ModuleType, Mapping[str, np.ndarray], Path], None]] = field(default_factory=dict)

    def style(self, name: str) -> Style:
        """Return a style by its name; the first where the target has none of that name."""
        return next((style for style in self.styles if style.name == name), self.styles[0])

    @property
    def has_styles(self) -> bool:
        """Whether there is a choice."""
        return len(self.styles) > 1

    def takes(self, option: str) -> bool:
        """Whether an option of the command line means something to this target."""
        return self.has_styles if option == "style" else option in {o.name for o in self.options}

    def file_of(self, spec: str) -> str:
        """Return the name of the script of a spec, where nobody says another."""
        return f"{Path(spec).stem}{self.suffix}.py"
