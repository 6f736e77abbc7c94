"""Random specs: a short run of what `make fuzz` does for hours, and that every member of every registry is drawn."""

from dataclasses import replace

import pytest
from fuzz.grow import spec
from fuzz.registries import REGISTRIES
from fuzz.run import Campaign
from fuzz.shrink import shrink
from fuzz.trial import BEYOND_A_LIMIT, Failure, attempt
from support import model_of

from dotnn.core.diagnostics import CompileError
from dotnn.model.model import Model
from dotnn.session import Options, compile_model

TURNS = 2 * len(REGISTRIES["layer"])
"""Specs in which each layer has its turn twice, and the members of the other registries several times."""


def test_a_short_run():
    """Specs that have every layer there is in turn; every twelfth is checked by the validator."""
    found: list[str] = []
    campaign = Campaign(check_every=12, tensorflow_every=0, shrinking=20)
    campaign.run(range(len(REGISTRIES["layer"])), show=found.append)
    assert not campaign.failures, "\n".join(found)
    assert campaign.outcomes["numbers: ok"] > 0.9 * campaign.specs


def test_every_member_is_drawn():
    """Of every registry, in specs that compile: the generator cannot forget a member, however new it is."""
    missing = {(family, name) for family, members in REGISTRIES.items() for name in members}
    without_a_file = {("init", "file")}  # arrays from a file need the file: see `model_in`
    for number in range(2 * TURNS):
        try:
            model = model_of(spec(number, files=False))
        except CompileError as error:
            assert {d.code for d in error.diagnostics} == {BEYOND_A_LIMIT}
            continue
        compile_model(model, Options())
        missing -= drawn(model)
        if missing == without_a_file:
            break
    assert missing == without_a_file
    assert any('file("' in spec(number) for number in range(TURNS))


def drawn(model: Model) -> set[tuple[str, str]]:
    """The members that a compiled model is made of."""
    train, params = model.train, model.params.values()
    found = {("layer", step.layer.name) for step in model.steps}
    found |= {("loss", term.loss.name) for term in train.losses}
    found |= {("metric", term.metric.name) for term in train.metrics}
    found |= {("optimizer", train.optimizer.name)}
    found |= {("schedule", train.schedule.name)} if train.schedule else set()
    found |= {("clip", train.clip.name)} if train.clip else set()
    found |= {("init", p.init.name) for p in params}
    found |= {("decay", p.penalty.name) for p in params if p.penalty}
    found |= {("decay", "weight_decay") for p in params if p.decayed}
    return found | {("constraint", p.constraint.name) for p in params if p.constraint}


TOTAL = "def total_loss(params, batch, cache):\n"
WRONG = {
    "fast": ("return float(loss)", "return 1.000001 * float(loss)"),
    "explain": (TOTAL, f"{TOTAL}    return float(len(params))\n"),
}


@pytest.mark.parametrize(("style", "line", "wrong"), [(style, *change) for style, change in WRONG.items()])
def test_a_wrong_style_is_found_and_shown_small(style, line, wrong, monkeypatch):
    """The interpreter is the judge, and what is printed is no larger than it need be."""

    def spoilt(model, options, **more):
        compiled = compile_model(model, options, **more)
        old = line if options.style == style else wrong
        return replace(compiled, script=compiled.script.replace(old, wrong))

    monkeypatch.setattr("fuzz.trial.compile_model", spoilt)
    shown: list[str] = []
    campaign = Campaign(check_every=0, tensorflow_every=0, shrinking=10)
    campaign.run([14], show=shown.append)
    assert campaign.failures == {f"{style} is wrong": [14]}
    assert len(spec(14).splitlines()) > 15 > len(shown[0].splitlines())


def test_a_crash_is_a_failure_of_its_own_kind(monkeypatch):
    def crash(*args, **options):
        raise ZeroDivisionError

    monkeypatch.setattr("fuzz.reference.run", crash)
    with pytest.raises(Failure) as failure:
        attempt(spec(0), 0, check=False)
    assert failure.value.kind == "the interpreter raises ZeroDivisionError in crash"


def test_the_smallest_spec_with_an_lstm():
    def has_lstm(text: str) -> bool:
        try:
            return any(step.layer.name == "lstm" for step in model_of(text).steps)
        except CompileError:
            return False

    number = next(n for n in range(10 * TURNS) if has_lstm(spec(n)) and "block" in spec(n))
    model = model_of(shrink(spec(number), has_lstm, seconds=20))
    assert [step.layer.name for step in model.steps] in (["lstm"], ["reshape", "lstm"])
    assert len(model.train.losses) == 1 and not model.train.metrics
