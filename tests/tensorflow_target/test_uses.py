"""State, draws and masks of every use of a layer: Keras's, in the spec's order, whatever the order in which it runs."""

import pytest
from support import model_of
from uses import FORMS, calls, network

from dotnn.commands.comparing.follow import compare
from dotnn.passes.build import build
from dotnn.session import Compilation


def assert_agree(text):
    """Two steps on both targets: losses, gradients, and all weights, running statistics among them."""
    found = compare(Compilation.of(model_of(text)), 2)
    assert found.verdict == "PASS" and len(found.steps) == 2, (found.first, found.place)


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("form", FORMS)
def test_two_steps(form):
    """All layers that have state or draw, in one network."""
    assert_agree(network(form, *calls(form)))


@pytest.mark.parametrize("form", ["shared", "of two ranks", "shared in a block"])
def test_two_steps_as_a_graph(form):
    """As `train` takes them, where it is TensorFlow that decides when a variable is written."""
    assert_agree(network(form, *(kept for kept in calls(form) if build(model_of(network(form, kept))).state)))
