"""What holds for all tests."""

import gc

import pytest


def pytest_collection_finish():
    """Let the collector of garbage leave out what stays to the end: an eighth of all time is spent going through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def step_by_step():
    """Functions of TensorFlow that are run as they are written: to make graphs of them takes longer than to train."""
    tf = pytest.importorskip("tensorflow")
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
