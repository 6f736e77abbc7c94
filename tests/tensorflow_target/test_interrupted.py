"""Trainings in TensorFlow that end anywhere and go on: a short version of `reliability/regimes_interrupted.py`."""

import signal

import pytest
from reliability import regimes_interrupted

import dotnn.commands.training.run as training


@pytest.fixture
def clock(monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(training, "_run", training._run)
    before = signal.getsignal(signal.SIGALRM)
    yield regimes_interrupted.begin()
    signal.signal(signal.SIGALRM, before)
    tf.config.run_functions_eagerly(False)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a clock that interrupts")
@pytest.mark.parametrize("name", ["turns", "accumulate"])
def test_a_training_that_ends_anywhere_ends_as_one_that_did_not(name, clock):
    count, wrong = regimes_interrupted.interrupted(name, 1, 3, clock)
    assert count and not wrong, "\n".join(wrong)
