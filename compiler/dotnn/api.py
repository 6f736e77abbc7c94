"""What `import dotnn` offers: a spec, its scripts, its gradients checked, a training, its equations, as objects.

Everything that takes a spec takes its path, too, and keywords that are parameters of the spec, as `--set` gives them.
What is wrong with a spec, its data or its files is a `CompileError`; `render()` is its text with places and help.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotnn.core.diagnostics import CompileError, Source
from dotnn.model.way import keywords
from dotnn.session import Compilation, read_source
from dotnn.targets import PROVEN, TARGETS

if TYPE_CHECKING:
    from types import ModuleType

    import numpy as np

    from dotnn.commands.seeing.run import Run
    from dotnn.reports.equations.derivation import Derivation
    from dotnn.reports.findings import Fault
    from dotnn_runtime.gradcheck import Report

__all__ = ["CompileError", "Equations", "Script", "Spec", "Trained", "check", "compile", "explain", "load", "train"]

Arrays = dict[str, "np.ndarray"]


@dataclass(frozen=True, repr=False)
class Spec:
    """A spec, resolved: its `name`, its number of trained `parameters`, its `warnings` as text."""

    begun: Compilation

    def __repr__(self) -> str:
        return f"<Spec {self.name}: {self.parameters} parameters>"

    @property
    def name(self) -> str:
        """The name of its model."""
        return self.begun.model.name

    @property
    def text(self) -> str:
        """Its text."""
        return self.begun.source.text

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return self.begun.model.size

    @property
    def settings(self) -> dict[str, object]:
        """The parameters of the spec, as they are set."""
        return {name: str(v) if not isinstance(v, int | float) else v for name, v in self.begun.model.constants.items()}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about it."""
        return self.begun.warnings

    def _repr_svg_(self) -> str:
        """Return the network as a picture: what a notebook shows."""
        from dotnn.reports.diagram.boxes import diagram_of
        from dotnn.reports.diagram.svg import svg_of

        return svg_of(diagram_of(self.begun.model, unfold=False))


SpecLike = Spec | str | PathLike[str]


@dataclass(frozen=True, repr=False)
class Script:
    """A generated script."""

    text: str
    path: str

    def __repr__(self) -> str:
        return f"<Script {self.path}: {self.text.count(chr(10))} lines>"

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to a file, which is replaced."""
        Path(path).write_text(self.text, encoding="utf-8", newline="\n")

    @cached_property
    def module(self) -> ModuleType:
        """The script as a module: `docs/script.md` says what it offers."""
        from dotnn.running.scripts import run_script

        return run_script(self.text, "dotnn_script", self.path)


@dataclass(frozen=True, repr=False)
class Equations:
    """The equations of a network, forward and backward; a notebook shows them as MathML."""

    derivation: Derivation

    def __repr__(self) -> str:
        return f"<Equations: {len(str(self).splitlines())} lines>"

    def __str__(self) -> str:
        from dotnn.reports.equations.text import as_text

        return as_text(self.derivation, 4)

    @property
    def markdown(self) -> str:
        """The same in Markdown."""
        from dotnn.reports.equations.markdown import as_markdown

        return as_markdown(self.derivation, 4)

    def _repr_html_(self) -> str:
        from dotnn.reports.equations.html import equations_html

        return equations_html(self.derivation, 4)


@dataclass(frozen=True, repr=False)
class Trained:
    """A trained network: `params` by name, `history` a record for each epoch, `result` as in `metrics.json`."""

    run: Run

    def __repr__(self) -> str:
        figures = "".join(
            f", {name} {self.result[name]:.4g}" for name in ("loss", "val_loss") if self.result.get(name) is not None
        )
        return f"<Trained {self.run.model.name}: {len(self.history)} epoch{'s' * (len(self.history) != 1)}{figures}>"

    @property
    def params(self) -> Arrays:
        """The parameters by name."""
        return dict(self.run.kept.params)

    @property
    def history(self) -> list[dict[str, float]]:
        """A record for each epoch."""
        return self.run.history

    @property
    def result(self) -> dict[str, Any]:
        """What was reached: `loss`, `val_loss`, `metrics`, `epochs`, `stopped_by`, `best_epoch`, `parameters`."""
        return self.run.result

    @property
    def labels(self) -> dict[str, list[str]]:
        """The texts of each class that has any, by the name of the target: column i of a prediction is of text i."""
        return {name: [*texts] for name, texts in self.run.kept.labels.items()}

    def predict(self, *values: Any, **inputs: Any) -> Arrays:
        """Return the outputs for raw inputs by name, (n, …) each, in the units of the targets.

        The only input needs no name. Raises `CompileError` for what is not an input, or not of its shape.
        """
        from dotnn.running.given import of_one
        from dotnn.running.spec_files import refusals

        arrays = of_one(values, inputs, self.run.module.INPUTS)
        with refusals():
            outputs: Arrays = self.run.module.predict(self.params, arrays, self.run.kept.scaling or None)
        return outputs

    def evaluate(self, part: str = "") -> dict[str, Any]:
        """Return the figures of merit of a part, "train", "val" or "test" (default: the last there is)."""
        from dotnn.commands.seeing.figures import figures_of
        from dotnn.commands.seeing.run import held_out
        from dotnn.running.given import check_name

        parts = self.run.parts()
        part = part or held_out(parts)
        check_name("part", part, parts)
        return figures_of(self.run, dict(parts[part]), part).as_json()

    def diagnose(self) -> list[Fault]:
        """Return what is wrong with the training, the worst first."""
        from dotnn.commands.seeing.look import seen_of
        from dotnn.reports.findings import diagnosis

        return diagnosis(seen_of(self.run))

    def picture(self, name: str = "curves") -> str:
        """Return a picture as the text of an SVG file, by the names that `dotnn graph --show` has."""
        from dotnn.commands.seeing.draw import drawn
        from dotnn.reports.pictures import PICTURES
        from dotnn.running.given import check_name

        check_name("picture", name, PICTURES)
        return drawn(self.run, name, None)

    def _repr_svg_(self) -> str:
        return self.picture()


def load(path: str | PathLike[str], *, text: str | None = None, **settings: object) -> Spec:
    """Return a spec: the file at `path`, or a `text` that would lie there. Raises `CompileError`."""
    sets = _sets(settings)
    source = read_source(str(path)) if text is None else Source(str(path), text)
    return _loaded(source, sets, load)


def _sets(settings: Mapping[str, object]) -> list[str]:
    return [f"{name}={value}" for name, value in settings.items()]


def _loaded(source: Source, sets: Sequence[str], function: Callable[..., object]) -> Spec:
    """Return a spec that is known to be right; `function` is the one whose keywords its settings were."""
    own = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    begun = Compilation(source, sets, way=keywords(own))
    _ = begun.model
    return Spec(begun)


def _spec(spec: SpecLike, settings: Mapping[str, object], function: Callable[..., object]) -> Spec:
    if not isinstance(spec, Spec):
        return _loaded(read_source(str(spec)), _sets(settings), function)
    kept = [text for text in spec.begun.sets if text.partition("=")[0].strip() not in settings]
    return _loaded(spec.begun.source, [*kept, *_sets(settings)], function) if settings else spec


def compile(spec: SpecLike, *, target: str = PROVEN.name, style: str = "", **settings: object) -> Script:
    """Return the script of a spec, of a target ("numpy", "tensorflow") and a style ("explain", "fast")."""
    of = _spec(spec, settings, compile)
    if target not in TARGETS:
        raise ValueError(f"there is no target {target!r}: {', '.join(TARGETS)}")
    return Script(of.begun.script(target, style), str(Path(of.begun.source.path).with_suffix(".py")))


def check(spec: SpecLike, *, seed: int | None = None, against: str = "", **settings: object) -> Report:
    """Return what the validator says of the gradients: its `verdict`, `tensors`, `blame`, `to_json()`."""
    from dotnn.commands.checking.spec import check_compilation

    of = _spec(spec, settings, check)
    return check_compilation(of.begun, of.name, seed, [against] if against else [])


def train(
    spec: SpecLike,
    data: Mapping[str, Any] | str | PathLike[str] | None = None,
    *,
    epochs: int | None = None,
    seed: int | None = None,
    precision: str = "",
    snapshots: int = 0,
    **settings: object,
) -> Trained:
    """Train on raw arrays by name, on a file, or on the spec's own data; nothing is written.

    `precision` is "float32" or "float64". The weights after so many `snapshots` of the epochs are what
    `picture("evolution")` is drawn of. Raises `CompileError` where the data do not fit.
    """
    from dotnn.commands.seeing.watch import watched
    from dotnn.running.given import arrays_of, check_name
    from dotnn.running.spec_files import load_examples

    of = _spec(spec, settings, train)
    _refuse_ensemble(of.begun)
    check_name("precision", precision or PROVEN.precisions[0], PROVEN.precisions)
    if isinstance(data, Mapping):
        raw: Arrays = arrays_of(data)
        labels: dict[str, list[str]] = {}
    else:
        raw, labels = load_examples(of.begun.model, None if data is None else str(data))
    begun = of.begun if epochs is None else of.begun.with_epochs(epochs)
    return Trained(watched(begun, raw, labels, seed=seed, precision=precision, snapshots=snapshots))


def _refuse_ensemble(begun: Compilation) -> None:
    """Raise `CompileError` for a spec of several networks: their runs have folders."""
    chosen = begun.model.train.settings.get("ensemble")
    if chosen is not None:
        from dotnn.core.diagnostics import Diagnostic

        help = "dotnn train SPEC --run DIR does; or leave ensemble out"
        message = "an ensemble is not trained in memory"
        raise CompileError([Diagnostic("NN533", message, chosen.span, help=help)], begun.model.source)


def explain(spec: SpecLike, **settings: object) -> Equations:
    """Return the equations of a spec's network, forward and backward."""
    from dotnn.commands.explaining.script import explanation

    return Equations(explanation(_spec(spec, settings, explain).begun).derivation)
