"""What `dotnn doctor` says of a run: its findings, and the signs of life of every layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from dotnn.reports.findings import FINDINGS, Fault, diagnosis
from dotnn.reports.findings.dead_units import silent_units
from dotnn.reports.findings.gradient_flow import gradient_norms
from dotnn.reports.findings.saturation import flat_share
from dotnn.reports.seen import Seen

HEADS = ("layer", "silent", "flat", "gradient before", "gradient after training", "first update")
LEGEND = (
    "silent: the share of a layer's units that are 0 for all examples looked at. flat: the share of slopes of its "
    "activation below a hundredth of the steepest. gradient: the norm of the derivatives of the loss with respect to "
    "its weights, before and after the training. first update: its size divided by the size of the weights; 0.001 to "
    "0.1 is usual, the less the larger the network."
)
"""What the columns of the table are."""


@dataclass(frozen=True)
class Sign:
    """What a layer shows: shares of units that are 0 for all examples, and of slopes that are flat; the norm of its
    weights' gradient before and after the training; the first update as a part of its weights."""

    layer: str
    silent: float
    flat: float
    gradient_before: float | None
    gradient_after: float | None
    update: float | None

    def as_json(self) -> dict[str, object]:
        """Return it as `--json` prints it."""
        return asdict(self)


def vital_signs(seen: Seen) -> list[Sign]:
    """Return the signs of all layers with weights or activations."""
    before, after = ({la.name: n for la, n in gradient_norms(found)} for found in (seen.fresh, seen.trained))
    signs = []
    for layer in seen.trained.layers:
        updates = [seen.updates[name] for name in layer.weights if name in seen.updates]
        silent = float(silent_units(layer).mean()) if layer.z is not None else 0.0
        norms = _known(before.get(layer.name)), _known(after.get(layer.name))
        signs.append(
            Sign(layer.name, silent, flat_share(seen.trained, layer), *norms, _known(max(updates, default=None)))
        )
    return signs


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def diagnosis_json(seen: Seen) -> dict[str, object]:
    """Return what `--json` prints of a run."""
    faults, layers = [fault.as_json() for fault in diagnosis(seen)], [sign.as_json() for sign in vital_signs(seen)]
    return {"run": seen.name, "findings": faults, "layers": layers}


def diagnosis_text(seen: Seen) -> str:
    """Return the findings of a run, the worst first, and the table of its layers, as lines of text."""
    faults, signs = diagnosis(seen), vital_signs(seen)
    lines = [f"{seen.name}: {_how_many(faults)}; {len(FINDINGS)} things were looked for"]
    for fault in faults:
        lines += ["", f"{fault.message} ({fault.place})", f"  fix: {fault.fix}"]
    return "\n".join([*lines, "", *_table([HEADS, *map(cells, signs)])])


def _how_many(faults: Sequence[Fault]) -> str:
    many = len(faults)
    if not many:
        return "nothing found"
    if all(fault.minor for fault in faults):
        return f"nothing wrong, {many} thing{'s' if many != 1 else ''} to look at"
    return f"{many} finding{'s' if many != 1 else ''}, the worst first"


def cells(sign: Sign) -> tuple[str, ...]:
    """Return the signs of a layer as texts, in the order of `HEADS`."""
    numbers = (sign.gradient_before, sign.gradient_after, sign.update)
    return (sign.layer, f"{sign.silent:.0%}", f"{sign.flat:.0%}", *("" if n is None else f"{n:.2g}" for n in numbers))


def worst_line(name: str, faults: Sequence[Fault]) -> str:
    """Return one line about the worst finding, "" where there is none."""
    if not faults:
        return ""
    more = f" ({len(faults) - 1} more: dotnn doctor {name})" if len(faults) > 1 else ""
    grade = "one thing to look at: " if faults[0].minor else ""
    return f"doctor: {grade}{faults[0].message} ({faults[0].place}); {faults[0].fix}{more}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([f"{row[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in rows
    ]
