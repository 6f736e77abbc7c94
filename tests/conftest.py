"""What holds for all tests."""

import gc
import importlib.util

import pytest


def pytest_collection_finish():
    """Let the collector of garbage leave out what stays to the end: an eighth of all time is spent going through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def step_by_step():
    """Functions of TensorFlow, if it is there, that are run as they are written.

    To make graphs of them takes longer than to train: that they compute the same is proven where graphs are compared.
    """
    tf = pytest.importorskip("tensorflow") if importlib.util.find_spec("tensorflow") else None
    if tf:
        tf.config.run_functions_eagerly(True)
    yield
    if tf:
        tf.config.run_functions_eagerly(False)
