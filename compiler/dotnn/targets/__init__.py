"""The languages in which a spec can be written, each a folder that the registry finds."""

from collections.abc import Mapping

from dotnn.core.registry import chosen as among
from dotnn.core.registry import collect
from dotnn.targets.base import Draft, Style, Target
from dotnn.targets.options import Option, Options

__all__ = ["PROVEN", "TARGETS", "WITNESSES", "Draft", "Option", "Options", "Style", "Target", "chosen"]

_FOUND: Mapping[str, Target] = collect(__name__, __path__, Target)

PROVEN: Target = next(target for target in _FOUND.values() if target.gradients)
"""The target whose scripts hold the gradients that `dotnn check` proves: the others are compared with it."""

TARGETS: Mapping[str, Target] = among({PROVEN.name: PROVEN, **_FOUND}, Target, bool)

WITNESSES: Mapping[str, Target] = {name: target for name, target in TARGETS.items() if target.witness is not None}
"""The targets whose gradients are an independent witness of those of the first."""


def chosen(options: Options) -> tuple[Target, Style]:
    """Return the target and the style that are wanted."""
    target = TARGETS[options.target] if options.target else PROVEN
    return target, target.style(options.style)
