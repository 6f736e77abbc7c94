"""The threads of NumPy's linear algebra in the process of a command: the rule is that of the scripts."""

from __future__ import annotations

import os

from dotnn.codegen.threads import VARIABLES, one_thread_pays
from dotnn.model.model import Model


def use_one_thread() -> None:
    """Ask for one thread, unless the user has said otherwise. To be called before NumPy is imported."""
    for name in VARIABLES:
        os.environ.setdefault(name, "1")


def choose_threads(model: Model) -> None:
    """Ask for one thread where even the largest product of a training step is small."""
    if one_thread_pays(model):
        use_one_thread()
