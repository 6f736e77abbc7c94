"""What stands for a value in an equation: z with the number of its layer, δ for the derivative of the loss by it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Symbol:
    """One symbol.

    base     its letter or word, as `z`, `W`, `image`
    layer    the number of its layer, which stands above; "" for none
    step     of a value of one time step, which: `t`, `t-1`, `t+1`; "" for a value of no step
    is_slope whether it is the derivative of the loss by what the rest says: δ for that by z
    via      of a derivative, the value through which this share of it comes back; None where it is all of it
    """

    base: str
    layer: str = ""
    step: str = ""
    is_slope: bool = False
    via: Symbol | None = None

    @property
    def is_delta(self) -> bool:
        """Whether it is what the lectures call δ: the derivative by a pre-activation."""
        return self.is_slope and self.base == "z"
