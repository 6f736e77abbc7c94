"""A Keras layer as a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dotnn.core.arguments import Bound
from dotnn.library.layers import Layer

KERNEL_AND_BIAS = {"W": "kernel", "b": "bias"}


@dataclass(frozen=True)
class Keras:
    """One Keras layer as a call: `keras.layers.Dense(3, activation="tanh")`.

    name       the class; a function of `keras.ops`, which is applied to the operands itself; or a class or function of
               `dotnn_runtime.keras`, which is pasted into the script
    arguments  its arguments by position, Python constants or `Symbol`s (names of the script)
    options    its arguments by keyword; what is Keras's default is left out. An activation stands as it was bound
    act        the activation that follows: written into the call where Keras has a word for it, else as a layer
    cell       the cell of a recurrent layer, if it is said apart: the first argument, which has the parameters
    before     a layer that is applied to the operand first;  then: a layer or a function that is applied to the result
    operands   how the operands are passed, if not as one list, or to a function one by one: `{0}, mask={1}`
    variables  what Keras calls each of our parameters, `bias[0]` where ours is one row of its array; where one has a
               penalty, the call gets `kernel_regularizer=`, or what `keywords` has instead of `kernel`
    xla        whether XLA speeds it up on a CPU
    replicas   for a layer that draws numbers or reads other examples of the batch: the class of `dotnn_runtime.keras`
               that stands for it where replicas share a batch
    by_name    whether penalties and constraints are given in tables by the names of the parameters
    any_rank   for a layer that Keras keeps to operands of as many axes as those of its first use: the class that stands
               for it where a shared layer has others, too
    """

    name: str
    arguments: tuple[object, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    act: Bound[Layer] | None = None
    cell: Keras | None = None
    before: Keras | None = None
    then: Keras | None = None
    operands: str = ""
    variables: Mapping[str, str] = field(default_factory=lambda: KERNEL_AND_BIAS)
    keywords: Mapping[str, str] = field(default_factory=dict)
    xla: bool = True
    replicas: str = ""
    any_rank: str = ""
    by_name: bool = False

    @property
    def is_function(self) -> bool:
        """Whether the call takes the operands itself instead of making a layer that does."""
        return self.name.startswith("keras.ops.")

    @property
    def word(self) -> object:
        """What stands for it in `activation=`, or None."""
        return self.arguments[0] if self.name == "keras.layers.Activation" else None


def only_set(**options: bool) -> dict[str, bool]:
    """Return `unroll=True` for what is True: Keras's defaults are False."""
    return {name: True for name, value in options.items() if value}


def without(**options: bool) -> dict[str, bool]:
    """Return `use_bias=False` for what is False: Keras's defaults are True."""
    return {name: False for name, value in options.items() if not value}
