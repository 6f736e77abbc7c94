"""The registries whose members a random spec is made of, and whose turn it is."""

from collections.abc import Mapping
from typing import Any

from dotnn.library.clips import CLIPS
from dotnn.library.constraints import CONSTRAINTS
from dotnn.library.inits import INITS
from dotnn.library.layers import LAYERS
from dotnn.library.losses import LOSSES
from dotnn.library.metrics import METRICS
from dotnn.library.optimizers import OPTIMIZERS
from dotnn.library.penalties import PENALTIES
from dotnn.library.schedules import SCHEDULES

REGISTRIES: dict[str, Mapping[str, Any]] = {
    "layer": LAYERS, "loss": LOSSES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES, "init": INITS, "clip": CLIPS,
    "decay": PENALTIES, "constraint": CONSTRAINTS, "metric": METRICS,
}  # fmt: skip
"""By the names under which arguments know them."""


def focus(family: str, number: int) -> str:
    """The member that is preferred in the spec of this number: every one in turn."""
    members = sorted(REGISTRIES[family])
    return members[number % len(members)]
