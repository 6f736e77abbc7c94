"""What a preparation is: what it takes, what is fitted, how that is applied, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dotnn.core.arguments import Arg, Attrs, choice

Shape = tuple[int, ...]
Written = Callable[[Attrs, Shape], str]
"""(arguments, shape of one example) -> an expression in which `{values}` stands for the array, and `{s}` for what was
fitted, a dict of arrays; `{operand}` is the array beside an operator, in brackets where it needs them."""
Fitted = Mapping[str, Shape | None]
"""Names of what is fitted, with their shapes; None for a list of as many texts as there are."""


@dataclass(frozen=True)
class Preparation:
    """One way to prepare an array `(n, *shape)`. It is fitted on the training part, and applied to all parts.

    key      where `data` names it: under "missing" or "scale", as "one_hot", in what an array is made of (another
             "input", a "column"); "declared" where the kind of an input asks for it
    raw      the kind of the values that it takes, as `check_arrays` knows them, and the shape of one example of them
    gaps     whether these may have gaps, which are NaN
    fit      the dict of arrays that is fitted on the training part `{values}`; None where nothing is
    fitted   the names and shapes of these arrays
    apply    the prepared array
    bare     the same as a script that is to be read says it, where that is plainer
    undo     what takes prepared values back to their own units; None where nothing does
    divisor  the number that it divides by, where it does nothing else and fits nothing
    counts   whether it makes whole numbers, else numbers in the precision of the network
    drops    whether examples with gaps are left out, before the data are split
    plain    the functions that these call, by name, as a script that is to be read shows them; elsewhere they are
             functions of `dotnn_runtime.script`, which say what is wrong with data
    """

    name: str
    doc: str
    key: str
    args: tuple[Arg, ...] = ()
    raw: Written = lambda attrs, shape: "real"
    raw_shape: Callable[[Shape], Shape] = lambda shape: shape
    gaps: bool = False
    fit: Written | None = None
    fitted: Callable[[Attrs, Shape], Fitted] = lambda attrs, shape: {}
    apply: Written = lambda attrs, shape: "{values}"
    bare: Written | None = None
    undo: Written | None = None
    divisor: Callable[[Attrs], float] | None = None
    counts: bool = False
    drops: bool = False
    plain: Mapping[str, str] = field(default_factory=dict)


PER = Arg(
    "per",
    choice("feature", "channel"),
    "feature",
    "whether each place of an image or a sequence has numbers of its own, or each channel",
)


def features(attrs: Attrs, shape: Shape) -> Shape:
    """Return the shape of what is fitted for each feature: of each number of an example, or of each channel."""
    return shape[-1:] if attrs.get("per") == "channel" else shape


def by_feature(attrs: Attrs, shape: Shape) -> str:
    """Return the expression of the training part as rows of features, see `features`."""
    return f"{{values}}.reshape(-1, {shape[-1]})" if len(features(attrs, shape)) < len(shape) else "{values}"
