"""What must be installed to run a script of this target."""

from __future__ import annotations

from dotnn.running.requirement import Requirement

NEEDS = Requirement(
    "TensorFlow",
    ("tensorflow", "keras"),
    "pip install 'dotnn[tensorflow]'",
    {"TF_CPP_MIN_LOG_LEVEL": "2"},  # without its notes on the processor
)
