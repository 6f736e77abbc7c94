"""What only a TensorFlow training leaves in a run folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class KerasModel(Protocol):
    """What a Keras model can do."""

    def save(self, path: Path) -> None:
        """Write the model as a whole."""
        ...


def save_model(model: KerasModel, path: Path) -> None:
    """Save a Keras model as a whole or not at all: a kill meanwhile leaves the old one."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp.keras")  # Keras goes by the ending
    model.save(temporary)
    os.replace(temporary, path)
