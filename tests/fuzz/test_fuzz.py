"""Random specs: a short run of what `make fuzz` does for hours, and that every member of every registry is drawn."""

import pytest
from support import model_of

from dotnn.driver import Options, compile_model
from dotnn.model.model import Model

from fuzz.grow import spec
from fuzz.registries import REGISTRIES
from fuzz.run import Campaign
from fuzz.shrink import shrink
from fuzz.trial import Failure, attempt

SHORT = 60
TURNS = 120
"""Specs in which each member has its turn, the rarer ones several times by chance."""


def test_a_short_run():
    """Specs whose first layers are all there are, in turn."""
    found: list[str] = []
    campaign = Campaign(tensorflow_every=0)
    campaign.run(range(SHORT), show=found.append)
    assert not campaign.failures, "\n".join(found)
    assert campaign.specs == SHORT


def test_every_member_is_drawn():
    """Of every registry, in specs that compile: the generator cannot forget a member, however new it is."""
    missing = {(family, name) for family, members in REGISTRIES.items() for name in members}
    for number in range(TURNS):
        model = model_of(spec(number, files=False))
        compile_model(model, Options())
        missing -= drawn(model)
    # Arrays from a file need the file: see `model_in`.
    assert missing == {("init", "file")}
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
