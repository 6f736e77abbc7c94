"""Targets are objects that the registry finds: what asks them needs to know no name."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from support import SPECS, model_of

import dotnn
from dotnn.cli import main
from dotnn.ir.dump import dump
from dotnn.passes.base import Pass
from dotnn.passes.name import name
from dotnn.session import Compilation
from dotnn.targets import PROVEN, TARGETS, Options

COMPILER = Path(dotnn.__file__).parent
XOR = str(SPECS / "xor.nn")


def run(*arguments: str):
    return CliRunner().invoke(main, arguments)


def test_nobody_else_compares_the_name_of_a_target_or_style():
    names = {*TARGETS, *(style.name for target in TARGETS.values() for style in target.styles)}
    found = []
    for path in COMPILER.rglob("*.py"):
        if "targets" in path.relative_to(COMPILER).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            compared = node.comparators if isinstance(node, ast.Compare) else []
            words = {c.value for part in compared for c in ast.walk(part) if isinstance(c, ast.Constant)}
            found += [f"{path.name}:{node.lineno}"] if words & names else []
    assert not found


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_every_option_of_a_target_is_taken_by_it_and_refused_by_others(target):
    for option in target.options:
        value = option.choices[:1]
        for other in TARGETS.values():
            style = ["--style", other.styles[-1].name] if other.has_styles else []
            done = run("compile", XOR, "--target", other.name, *style, option.flag, *value, "-o", "-")
            assert done.exit_code == (0 if other.takes(option.name) else 2), done.output
            assert other.takes(option.name) or f"{option.flag} does not apply to --target {other.name}" in done.output


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_every_stage_of_every_style_is_shown(target):
    for style in target.styles:
        chosen = ["--target", target.name, *(["--style", style.name] if target.has_styles else [])]
        passes = [step.name for step in style.pipeline(Options())]
        for stage in ["ast", "model", "ir", "passes", *passes, *style.stages]:
            done = run("dump", XOR, "--stage", stage, *chosen)
            assert done.exit_code == 0 and done.output, done.output
        done = run("dump", XOR, "--stage", "nothing", *chosen)
        assert done.exit_code == 2 and all(step in done.output for step in passes)


def test_a_pass_is_its_name_and_its_arguments():
    graph = Compilation.read(XOR).built
    some = name.given(words=frozenset({"x"}))
    assert some == name.given(words=frozenset({"x"})) != name.given(words=frozenset())
    assert dump(some(graph)) == dump(name(graph, words=frozenset({"x"}))) != dump(name(graph))


def test_every_stage_is_computed_once(monkeypatch):
    begun, made, run = Compilation.read(XOR), [], Pass.__call__

    def counted(step, graph, *args, **kwargs):
        made.append((step, graph))
        return run(step, graph, *args, **kwargs)

    monkeypatch.setattr(Pass, "__call__", counted)
    scripts = [begun.script(style=style.name) for style in PROVEN.styles for _ in range(2)]
    assert scripts[::2] == scripts[1::2] and scripts[0] != scripts[2]
    assert begun.model is begun.model and begun.graph(style="explain") is begun.graph(style="explain")
    assert len(made) == len({(id(graph), step) for step, graph in made})


def test_a_longer_training_is_another_compilation_of_the_same_spec():
    begun = Compilation.read(XOR)
    longer = begun.with_epochs(begun.model.train.epochs + 1)
    same = replace(longer.model.train, epochs=begun.model.train.epochs)
    assert same == begun.model.train and longer.script() != begun.script()


def test_words_of_the_script_are_an_argument():
    """A value called like a word of the script is written again, under another name."""
    spec = "model M { input np: [2]  target t: [1]  output y = np -> dense(1, tanh) } train { loss = mse(y, t) }"
    begun = Compilation.of(model_of(spec))
    assert {v.name for v in begun.compiled(Options("fast")).graph.inputs.values()} == {"np_"}
    assert {v.name for v in begun.built.inputs.values()} == {"np"}
