"""A spec on its way to scripts: the only file that knows the order of the stages."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotnn.codegen.hygiene import NamesMeet
from dotnn.core.diagnostics import CompileError, Diagnostic, Source, Span, closest, render
from dotnn.core.limits import MAX_SOURCE_BYTES
from dotnn.core.registry import origin
from dotnn.ir.graph import Graph
from dotnn.ir.verify import verify
from dotnn.model import messages
from dotnn.model.files import path_beside
from dotnn.model.free_sizes import sizes_in
from dotnn.model.lint import lint
from dotnn.model.model import Model
from dotnn.model.resolve import ORACLES, resolve
from dotnn.model.turns import sections
from dotnn.model.way import OPTION, Way
from dotnn.passes.base import Pass, Pipeline
from dotnn.passes.build import build
from dotnn.passes.differentiate import MissingRule
from dotnn.syntax import nodes
from dotnn.syntax.decode import decode
from dotnn.syntax.parse import parse
from dotnn.targets import WITNESSES, Draft, Options, chosen

if TYPE_CHECKING:  # it needs the validator, which a training does not
    from dotnn.running.peer import Peer

__all__ = ["Compilation", "Compiled", "Options", "compile_model", "compile_spec", "front", "lower"]

if TYPE_CHECKING:
    import numpy as np

STDIN = "<stdin>"
"""What a spec from standard input is called."""


@dataclass(frozen=True)
class Compiled:
    """A spec after all stages: its model, its graph, the script, and the warnings as text."""

    model: Model
    graph: Graph
    script: str
    warnings: tuple[str, ...]


class Compilation:
    """A spec on its way to scripts. Every stage is computed once, when it is first asked for.

    `source` is its text, `sets` are the texts of `--set`, or of settings that are given in another `way`. With
    `check` the verifier runs after every pass, and over the memory of a fast step. Whatever is wrong with a spec is
    a `CompileError` of the stage that finds it. `large` says whether the data are large, where that is not read off
    the spec's own file, and `labels` are the texts of classes by target, where that file has been read.
    """

    def __init__(self, source: Source, sets: Sequence[str] = (), *, check: bool = False, way: Way = OPTION) -> None:
        self.source, self.sets, self.check, self.way = source, tuple(sets), check, way
        self.large: bool | None = None
        self.labels: dict[str, list[str]] | None = None
        self._graphs: dict[tuple[int, Pass[[]]], tuple[Graph, Graph]] = {}
        self._verified: set[int] = set()
        self._compiled: dict[Options, Compiled] = {}
        self._drafts: dict[Options, Draft] = {}

    @classmethod
    def read(cls, path: str, sets: Sequence[str] = (), *, check: bool = False, data: str | None = None) -> Compilation:
        """Begin with a file, or with standard input for `-`; `data` is a file of data that may say what sizes are."""
        begun = cls(read_source(path), sets, check=check)
        if data is not None and data != "-":
            begun.sets += sizes_in(begun.tree, begun.source, begun.sets, Path(data), _measured)
        return begun

    @classmethod
    def of(
        cls, model: Model, sets: Sequence[str] = (), warnings: tuple[str, ...] = (), *, check: bool = False
    ) -> Compilation:
        """Begin with a model that is there already."""
        begun = cls(model.source, sets, check=check)
        vars(begun).update(model=model, warnings=warnings)
        return begun

    def with_epochs(self, epochs: int) -> Compilation:
        """Return the compilation of the same spec with another number of epochs."""
        model = replace(self.model, train=replace(self.model.train, epochs=epochs))
        return Compilation.of(model, self.sets, self.warnings, check=self.check)

    def in_one(self) -> Compilation:
        """Return the compilation of the same network whose layers keep the states of all steps."""
        from dotnn.passes.in_parts import goes_in_parts, in_one

        if not goes_in_parts(self.built):
            return self
        begun = Compilation.of(self.model, self.sets, self.warnings, check=self.check)
        vars(begun)["built"] = in_one(self.built)
        return begun

    @cached_property
    def tree(self) -> nodes.File:
        """The syntax tree."""
        return parse(self.source)

    @cached_property
    def model(self) -> Model:
        """The model: names bound, defaults written out."""
        model, reporter = resolve(self.tree, self.source, self.sets, [*ORACLES, *WITNESSES], _measured, self.way)
        found = [d for d in [*reporter.found, *lint(model)] if d.severity == "warning"]
        vars(self)["warnings"] = tuple(render(d, model.source) for d in found)
        return model

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the spec, as text."""
        _ = self.model
        return vars(self)["warnings"]  # type: ignore[no-any-return]

    @cached_property
    def built(self) -> Graph:
        """The graph as the layers wrote it, before any pass."""
        return build(self.model)

    def graph(self, target: str = "", style: str = "", **own: Any) -> Graph:
        """Return the graph of a training step, after all passes of a target's style."""
        options = Options(style, self.sets, target, **own)
        return self.after(chosen(options)[1].pipeline(options))

    def script(self, target: str = "", style: str = "", epochs: int = 0, **own: Any) -> str:
        """Return a script."""
        return self.compiled(Options(style, self.sets, target, epochs, **own)).script

    def compiled(self, options: Options) -> Compiled:
        """Return the script that is wanted, and the graph of what it computes."""
        if options not in self._compiled:
            graph, script = self._written(options)
            self._compiled[options] = Compiled(self.model, graph, script, self.warnings)
        return self._compiled[options]

    def draft(self, options: Options) -> Draft:
        """Return what a script was written from."""
        self.compiled(options)
        return self._drafts[options]

    def _written(self, options: Options) -> tuple[Graph, str]:
        """Write a script; once more, with other names, where it has words of its own that the spec uses."""
        words = frozenset[str]()
        while True:
            draft = self._draft(options, words)
            try:
                script = draft.target.write(draft)
            except NamesMeet as met:
                words |= met.words
                continue
            if self.check and draft.style.check is not None and not draft.parts:
                draft.style.check(draft, script)
            for part in self.parts.values() if self.check else ():
                part.alone.compiled(options)
            self._drafts[options] = draft
            return draft.graph, script

    def _draft(self, options: Options, words: frozenset[str]) -> Draft:
        target, style = chosen(options)
        package = origin(target)
        if package and package not in self.model.packages:
            raise CompileError([messages.uses.target_of_a_package(target.name, package)], self.model.source)
        graph = self.after(style.passes(options, words))
        step = self.after(style.step(options, words)) if style.step else graph
        read = (path for m in self.model.train.metrics for path in m.values)
        shown = tuple(dict.fromkeys(path for path in read if path not in self.model.inputs))
        prediction = self.after(style.predict(options, words, shown)) if style.predict else graph
        parts = {name: part._draft(options, words) for name, part in self.parts.items()}
        made = (self.model, target, style, options, graph, step, prediction, self._values)
        return Draft(*made, words, self._large, parts, self.labels)

    @cached_property
    def parts(self) -> Mapping[str, Compilation]:
        """The compilation of each of several sections that take turns, as if it were the only one."""
        return {turn.name: Compilation.of(model, self.sets, check=self.check) for turn, model in sections(self.model)}

    def section(self, name: str | None) -> Compilation:
        """Return the compilation of one of several sections as if it were the only one: of the first if none is named.

        A spec whose `train` has no name is returned as it is. Raises `CompileError` for a name that is no section's.
        """
        if name is not None and name not in self.parts:
            raise CompileError([messages.turns.no_section(name, [*self.parts])], self.model.source)
        return self.parts[name or next(iter(self.parts))].alone if self.parts else self

    @cached_property
    def alone(self) -> Compilation:
        """The compilation of a section that hands nothing on: a script like that of any spec."""
        return Compilation.of(replace(self.model, hands=()), self.sets, check=self.check)

    @cached_property
    def _large(self) -> bool:
        """Whether the data are large: those that were said to be, or those of the spec's own file of arrays."""
        if self.large is not None:
            return self.large
        from dotnn.running.data_size import holds_much

        return holds_much(self.model)

    @cached_property
    def _values(self) -> Mapping[str, np.ndarray]:
        """The arrays of parameters that start from a file. Only they bring NumPy into a compilation."""
        if all(p.init.name != "file" for p in self.model.params.values()):
            return {}
        from dotnn.running.initial_values import initial_values

        return initial_values(self.model)

    def after(self, pipeline: Pipeline) -> Graph:
        """Return the graph after some passes, verified. Pipelines that begin alike share the work."""
        graph = self.built
        try:
            for step in pipeline:
                if self.check:
                    self._verify(graph)
                graph = self._after(graph, step)
        except MissingRule as missing:
            raise CompileError([_missing_rule(missing)], self.model.source) from None
        self._verify(graph)
        return graph

    def _after(self, graph: Graph, step: Pass[[]]) -> Graph:
        key = id(graph), step
        if key not in self._graphs:
            self._graphs[key] = graph, step(graph)  # kept, so that no other graph gets its id
        return self._graphs[key][1]

    def _verify(self, graph: Graph) -> None:
        if id(graph) not in self._verified:
            verify(graph)
            self._verified.add(id(graph))

    def witness(self, name: str = "") -> Peer:
        """Return the same network in another target's hands, beside which the NumPy script is looked at."""
        target = WITNESSES[name] if name else next(iter(WITNESSES.values()))
        assert target.witness is not None
        compiled = self.compiled(Options(sets=self.sets, target=target.name))
        return target.witness(self.model, compiled.graph, compiled.script)


def _measured(format: str, path: Path, words: Sequence[str], classes: bool) -> tuple[tuple[int, ...], int]:
    from dotnn.running.sizes import measured

    return measured(format, path, words, classes)


def read_source(path: str) -> Source:
    """Read a spec, `-` from standard input. Raises `CompileError` where there is none, or it is no text."""
    if path == "-":
        return decode(STDIN, sys.stdin.buffer.read(MAX_SOURCE_BYTES + 1))
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_SOURCE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CompileError([Diagnostic("NN001", f"cannot read {path}: {reason}", help=_look(path))]) from None
    except ValueError:  # a NUL in the path
        raise CompileError([Diagnostic("NN001", f"{path!r} is no path", help="check the path")]) from None
    return decode(path, content)


def _look(path: str) -> str:
    if Path(path).is_dir():
        specs = sorted(p.name for p in Path(path).glob("*.nn"))[:5]
        return f"name one of its specs: {', '.join(specs)}" if specs else "name a spec, a file that ends in .nn"
    name, there = Path(path).name, {p.name for p in Path(path).parent.glob("*.nn")}
    near = f"{name}.nn" if f"{name}.nn" in there else closest(name, there)
    return f"did you mean {Path(path).with_name(near)}?" if near else "check the path"


def front(path: str, sets: Sequence[str] = ()) -> tuple[Model, tuple[str, ...]]:
    """Return the model of a spec and its warnings."""
    begun = Compilation.read(path, sets)
    return begun.model, begun.warnings


def _missing_data(model: Model) -> list[Diagnostic]:
    """Return a warning where the data file is not there: compiling does without it, training does not.

    Raises `CompileError` where the script would read a file that training refuses.
    """
    data = model.data
    sources = [data.source, *data.files.values()] if data and data.source else []
    files = {path: span for source in sources for path, span in source.paths.items()}
    missing = [
        messages.warnings.no_data_file(span, path)
        for path, span in files.items()
        if not path_beside(model, path, span).exists()
    ]
    made = [source for source in sources if source and source.entry.converted]
    return missing + [
        messages.warnings.not_converted(source.span, source.file, source.command(model))
        for source in made
        if not path_beside(model, source.file, source.span).exists()
    ]


def lower(model: Model, style: str = "", *, check: bool = False, **own: Any) -> Graph:
    """Return the graph of a training step of the NumPy script; with `check` the verifier runs after every pass."""
    return Compilation.of(model, check=check).graph(style=style, **own)


def _missing_rule(missing: MissingRule) -> Diagnostic:
    span = missing.node.span or Span(0, 0)
    return Diagnostic("NN502", str(missing), span, help="nothing behind it can be trained")


def compile_spec(path: str, options: Options | None = None, *, check: bool = False) -> Compiled:
    """Run all stages. Raises `CompileError`."""
    options = options or Options()
    model, warnings = front(path, options.sets)
    warnings += tuple(render(d, model.source) for d in _missing_data(model))
    return compile_model(model, options, warnings, check=check)


def compile_model(model: Model, options: Options, warnings: tuple[str, ...] = (), *, check: bool = False) -> Compiled:
    """Run the stages after the model."""
    return Compilation.of(model, options.sets, warnings, check=check).compiled(options)
