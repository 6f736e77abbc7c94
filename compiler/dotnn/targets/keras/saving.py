"""What only a TensorFlow training leaves in a run folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def save_model(model: Any, path: Path) -> None:
    """Save a Keras model as a whole or not at all: a kill meanwhile leaves the old one."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp.keras")  # Keras goes by the ending
    model.save(temporary)
    os.replace(temporary, path)
