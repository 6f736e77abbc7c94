"""What a loss is."""

from __future__ import annotations

from dataclasses import dataclass

from dotnn.core.arguments import Arg, choice


@dataclass(frozen=True)
class Loss:
    """One loss `name(output, target)`.

    op        the op that computes it
    target    what the target must hold: "real", "unit" (0 to 1), "sign" (-1 or +1) or "class"
    averages  whether it averages over the features of an example (else it sums)
    term      what it adds up for each number, over y, t and its arguments; "" where targets are classes
    """

    name: str
    doc: str
    op: str
    target: str = "real"
    averages: bool = False
    args: tuple[Arg, ...] = ()
    equation: str = ""
    term: str = ""


def reduce_arg(default: str) -> Arg:
    """Return the argument that says how the examples of a batch are combined."""
    return Arg("reduce", choice("mean", "sum"), default, "mean or sum over the batch")
