"""What can be wrong with a training: one file for each finding, found by the registry like a layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dotnn.core.registry import collect
from dotnn.reports.findings.base import Fault, Finding
from dotnn.reports.findings.constant_guess import has_learned
from dotnn.reports.seen import Seen

__all__ = ["FINDINGS", "Fault", "Finding", "diagnosis"]

FINDINGS: dict[str, Finding] = collect(__name__, __path__, Finding)


def diagnosis(seen: Seen) -> list[Fault]:
    """Return all that is found in a run, the worst first; what one line of the spec does several times is said once."""
    looked_for = [f for f in FINDINGS.values() if not (f.of_a_loss and seen.model.turns)]
    ranked = sorted(looked_for, key=lambda finding: (finding.rank, finding.name))
    alike: dict[tuple[str, str], list[Fault]] = {}
    with np.errstate(all="ignore"):  # the training may have diverged
        for fault in (fault for finding in ranked for fault in finding.look(seen)):
            alike.setdefault((fault.finding, fault.place), []).append(fault)
        found = [_once(faults) for faults in alike.values()]
        learned = bool(found) and has_learned(seen)
    graded = [replace(fault, minor=fault.minor or (learned and FINDINGS[fault.finding].of_layers)) for fault in found]
    graded.sort(key=lambda fault: fault.minor)  # stable: each grade stays in its order
    return [_after(graded[:i], fault) for i, fault in enumerate(graded)]


def _after(above: list[Fault], fault: Fault) -> Fault:
    """Return a fault with the fix that is to be tried first, where what is `above` it explains it."""
    causes = {other.finding for other in above if not FINDINGS[other.finding].of_data} - {fault.finding}
    if not (fault.follows and causes):
        return fault
    return replace(fault, fix=f"mend the finding{'s' if len(causes) > 1 else ''} above first")


def _once(faults: list[Fault]) -> Fault:
    first, *others = faults
    return replace(first, message=f"{first.message}; and {len(others)} more like it") if others else first
