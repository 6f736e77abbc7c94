"""The only file that knows the order of the stages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotnn.codegen.hygiene import NamesMeet
from dotnn.core.diagnostics import CompileError, Diagnostic, Source, Span, render
from dotnn.core.limits import MAX_SOURCE_BYTES
from dotnn.ir.graph import Graph
from dotnn.ir.verify import verify
from dotnn.model import messages
from dotnn.model.files import path_beside
from dotnn.model.lint import lint
from dotnn.model.model import Model
from dotnn.model.resolve import resolve
from dotnn.passes import FIRST, FOR_SPEED, PASSES, REST, Pass
from dotnn.passes.build import build
from dotnn.passes.differentiate import MissingRule, differentiate
from dotnn.passes.name import name
from dotnn.syntax.decode import decode
from dotnn.syntax.parse import parse
from dotnn.targets.numpy.fast.plan import Plan
from dotnn.targets.numpy.script import Options, numpy_script, step_plan

if TYPE_CHECKING:
    from dotnn.targets.keras.witness import Peer

STDIN = "<stdin>"
"""What a spec from standard input is called."""


@dataclass(frozen=True)
class Compiled:
    """A spec after all stages: its model, its graph, the script, and the warnings as text."""

    model: Model
    graph: Graph
    script: str
    warnings: tuple[str, ...]


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
    return "check the path"


def front(path: str, sets: Sequence[str] = ()) -> tuple[Model, tuple[str, ...]]:
    """Return the model of a spec and its warnings."""
    source = read_source(path)
    model, reporter = resolve(parse(source), source, sets)
    found = [d for d in [*reporter.found, *lint(model)] if d.severity == "warning"]
    return model, tuple(render(d, source) for d in found)


def _missing_data(model: Model) -> list[Diagnostic]:
    """Return a warning where the data file is not there: compiling does without it, training does not.

    Raises `CompileError` where the script would read a file that training refuses.
    """
    source = model.data.source if model.data else None
    if source is None or path_beside(model, source.path, source.span).exists():
        return []
    return [messages.warnings.no_data_file(source.span, source.path)]


@dataclass(frozen=True)
class Wanted:
    """What the passes need to know: whose gradients are wanted, which `words` no value may be called, and whether the
    verifier runs after every pass (`check`)."""

    input_gradients: bool = False
    check: bool = False
    words: frozenset[str] = frozenset()


def passes(wanted: Wanted = Wanted(), which: Sequence[Pass] = PASSES) -> list[tuple[str, Pass]]:
    """Return passes with their names, each told what it needs to know."""
    told: dict[Pass, Pass] = {
        differentiate: partial(differentiate, input_gradients=wanted.input_gradients),
        name: partial(name, words=wanted.words),
    }
    return [(p.__name__, told.get(p, p)) for p in which]


def lower(model: Model, *, input_gradients: bool = False, fast: bool = False, check: bool = False) -> Graph:
    """Return the finished graph, or that of a `fast` training step; with `check` the verifier runs after every pass."""
    return _lowered(model, Wanted(input_gradients, check), fast=fast)[-1 if fast else 0]


def _lowered(model: Model, wanted: Wanted, *, fast: bool) -> tuple[Graph, Graph]:
    """Return the finished graph, and that of a `fast` training step: the same one where nothing is done for speed."""
    first = _run(passes(wanted, FIRST), build(model), wanted)
    sped = _run(passes(wanted, FOR_SPEED), first, wanted) if fast else first
    graph = _finished(model, first, wanted)
    return graph, graph if sped is first else _finished(model, sped, wanted)


def _finished(model: Model, graph: Graph, wanted: Wanted) -> Graph:
    try:
        graph = _run(passes(wanted, REST), graph, wanted)
    except MissingRule as missing:
        raise CompileError([_missing_rule(missing, model)], model.source) from None
    verify(graph)
    return graph


def _run(named: Iterable[tuple[str, Pass]], graph: Graph, wanted: Wanted) -> Graph:
    for _, run in named:
        if wanted.check:
            verify(graph)
        graph = run(graph)
    return graph


def _missing_rule(missing: MissingRule, model: Model) -> Diagnostic:
    span = missing.node.span or Span(0, 0)
    return Diagnostic("NN502", str(missing), span, help="nothing behind it can be trained")


def compile_spec(path: str, options: Options | None = None, *, check: bool = False) -> Compiled:
    """Run all stages. Raises `CompileError`."""
    options = options or Options()
    model, warnings = front(path, options.sets)
    warnings += tuple(render(d, model.source) for d in _missing_data(model))
    return compile_model(model, options, warnings, check=check)


def compile_model(model: Model, options: Options, warnings: tuple[str, ...] = (), *, check: bool = False) -> Compiled:
    """Run the stages after the model: once more, with other names, where the script has words that the spec uses."""
    options = replace(options, values=_initial_values(model))
    wanted = Wanted(options.input_gradients, check)
    while True:
        try:
            graph, script = _written(model, options, wanted)
            return Compiled(model, graph, script, warnings)
        except NamesMeet as met:
            wanted = replace(wanted, words=wanted.words | met.words)


def witness(model: Model, sets: tuple[str, ...] = ()) -> Peer:
    """Return the same network on TensorFlow, beside which the NumPy script is looked at."""
    from dotnn.targets.keras.witness import Peer

    compiled = compile_model(model, Options(sets=sets, target="tensorflow"))
    return Peer(model, compiled.graph, compiled.script)


def _written(model: Model, options: Options, wanted: Wanted) -> tuple[Graph, str]:
    """Return the finished graph and the script. Raises `NamesMeet` where a value must be called otherwise."""
    graph, step = _lowered(model, wanted, fast=options.target == "numpy" and options.style == "fast")
    if options.target == "tensorflow":
        from dotnn.targets.keras.script import tensorflow_script

        return graph, tensorflow_script(model, graph, options, wanted.words)
    script = numpy_script(model, graph, options, step)
    if options.style == "fast" and wanted.check:
        _verify_memory(step_plan(model, step, options), script)
    return graph, script


def _verify_memory(plan: Plan, script: str) -> None:
    """Check the memory of a fast step. Only this brings NumPy into a compilation."""
    from dotnn.targets.numpy.fast.verify import verify_plan

    verify_plan(plan, script)


def _initial_values(model: Model) -> Mapping[str, Any]:
    """Return the arrays of parameters that start from a file. Only they bring NumPy into a compilation."""
    if all(p.init.name != "file" for p in model.params.values()):
        return {}
    from dotnn.running.spec_files import initial_values

    return initial_values(model)


def dump_stage(path: str, stage: str, sets: Sequence[str] = ()) -> str:
    """Return the readable text of a stage: ast, model, ir, passes or schedule."""
    from dotnn.ir.dump import dump
    from dotnn.model.describe import describe_model
    from dotnn.syntax.tree import show_tree

    if stage == "ast":
        return show_tree(parse(read_source(path)))
    model, _ = front(path, sets)
    if stage == "model":
        return describe_model(model)
    if stage == "ir":
        return dump(build(model))
    if stage == "passes":
        return _dump_passes(model, dump)
    from dotnn.targets.numpy.fast.context import describe_schedule

    return describe_schedule(model, lower(model, fast=True))


def _dump_passes(model: Model, dump: Callable[[Graph], str]) -> str:
    graph = build(model)
    parts = [f"==== build\n{dump(graph)}"]
    for stage, run in passes():
        graph = run(graph)
        parts.append(f"==== {stage}\n{dump(graph)}")
    return "\n".join(parts)


__all__ = ["Compiled", "Options", "compile_model", "compile_spec", "dump_stage", "front", "lower", "read_source"]
