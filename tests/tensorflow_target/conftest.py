"""TensorFlow is an extra: without it there is nothing to run here."""

import pytest

tf = pytest.importorskip("tensorflow")


@pytest.fixture
def step_by_step():
    """Functions that are run as they are written: to make graphs of them takes ten times as long as to train."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
