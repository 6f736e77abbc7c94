"""How a layer is written in Keras, for the TensorFlow target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dotnn.schema import Bound

KERNEL_AND_BIAS = {"W": "kernel", "b": "bias"}


@dataclass(frozen=True)
class Keras:
    """One Keras layer as a call: `keras.layers.Dense(3, activation="tanh")`.

    name       the class; a function of `keras.ops`, which is applied to the operands itself; or a class or function of
               `dotnn_runtime.keras`, which is pasted into the script
    arguments  its arguments by position, Python constants or `Symbol`s (names of the script)
    options    its arguments by keyword; what is Keras's default is left out
    act        the activation that follows: written into the call where Keras has a word for it, else as a layer
    variables  what Keras calls each of our parameters; where one has a penalty, the call gets `kernel_regularizer=`
    xla        whether XLA speeds it up on a CPU
    """

    name: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    act: Bound | None = None
    variables: Mapping[str, str] = field(default_factory=lambda: KERNEL_AND_BIAS)
    xla: bool = True

    @property
    def is_function(self) -> bool:
        """Whether the call takes the operands itself instead of making a layer that does."""
        return self.name.startswith("keras.ops.")

    @property
    def word(self) -> Any:
        """What stands for it in `activation=`, or None."""
        return self.arguments[0] if self.name == "keras.layers.Activation" else None


def without(**options: bool) -> dict[str, bool]:
    """Return `use_bias=False` for what is False: Keras's defaults are True."""
    return {name: False for name, value in options.items() if not value}
