"""What can be wrong with a training: one file for each finding, found by the registry like a layer."""

from __future__ import annotations

from dotnn.core.registry import collect
from dotnn.reports.findings.base import Fault, Finding
from dotnn.reports.seen import Seen

__all__ = ["FINDINGS", "Fault", "Finding", "diagnosis"]

FINDINGS: dict[str, Finding] = collect(__name__, __path__, Finding)


def diagnosis(seen: Seen) -> list[Fault]:
    """Return all that is found in a run, the worst first."""
    ranked = sorted(FINDINGS.values(), key=lambda finding: (finding.rank, finding.name))
    return [fault for finding in ranked for fault in finding.look(seen)]
