"""What can be wrong with a training: one file for each finding, found by the registry like a layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dotnn.core.registry import collect
from dotnn.reports.findings.base import Fault, Finding
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
    return [_once(faults) for faults in alike.values()]


def _once(faults: list[Fault]) -> Fault:
    first, *others = faults
    return replace(first, message=f"{first.message}; and {len(others)} more like it") if others else first
