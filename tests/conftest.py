"""What holds for all tests."""

import gc
import importlib.util
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONG = ("docs", "tensorflow_target", "reliability", "mutation", "specs", "gradcheck", "fuzz")
"""Folders whose files take long."""


def pytest_collection_modifyitems(items):
    """Let what takes long come first in both halves, with which two processes begin: else one ends with it alone."""
    files = [(_turn(path), list(tests)) for path, tests in groupby(items, lambda item: item.path)]
    files.sort(key=itemgetter(0))
    long = sum(turn < len(LONG) for turn, _ in files)
    one, other, quick = (
        [t for _, tests in part for t in tests] for part in (files[:long:2], files[1:long:2], files[long:])
    )
    half = max(len(items) // 2 - len(one), 0)
    items[:] = [*one, *quick[:half], *other, *quick[half:]]


def _turn(path):
    folder = path.relative_to(HERE).parts[0]
    return LONG.index(folder) if folder in LONG else len(LONG)


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
