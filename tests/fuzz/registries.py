"""The registries whose members a random spec is made of, and whose turn it is."""

from collections.abc import Mapping
from typing import Any

from dotnn.clips import CLIPS
from dotnn.constraints import CONSTRAINTS
from dotnn.inits import INITS
from dotnn.layers import LAYERS
from dotnn.losses import LOSSES
from dotnn.metrics import METRICS
from dotnn.optimizers import OPTIMIZERS
from dotnn.penalties import PENALTIES
from dotnn.schedules import SCHEDULES

REGISTRIES: dict[str, Mapping[str, Any]] = {
    "layer": LAYERS, "loss": LOSSES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES, "init": INITS, "clip": CLIPS,
    "decay": PENALTIES, "constraint": CONSTRAINTS, "metric": METRICS,
}  # fmt: skip
"""By the names under which arguments know them."""


def focus(family: str, number: int) -> str:
    """The member that is preferred in the spec of this number: every one in turn."""
    members = sorted(REGISTRIES[family])
    return members[number % len(members)]
