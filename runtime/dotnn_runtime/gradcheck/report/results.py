"""What a gradient check found: verdicts, the blame, and the JSON of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

WARNING = 1e-12
"""Errors beyond this are right but worth a look."""


class Verdict(Enum):
    """The six answers a check can give."""

    PASS = "PASS"
    FAIL = "FAIL"
    ZERO_STRUCTURAL = "ZERO_STRUCTURAL"
    ZERO_OBSERVED = "ZERO_OBSERVED"
    INCONCLUSIVE = "INCONCLUSIVE"
    SKIPPED = "SKIPPED"

    def __str__(self) -> str:
        return self.value


def _with_reason(verdict: Verdict, reason: str) -> str:
    wants_reason = verdict in (Verdict.INCONCLUSIVE, Verdict.SKIPPED)
    return f"{verdict}({reason})" if reason and wants_reason else str(verdict)


def _of_section(name: str) -> dict[str, object]:
    """Return the entry of a row that is of one of several sections of `train`."""
    return {"section": name} if name else {}


@dataclass(frozen=True)
class Element:
    """One element of a gradient: where it is, what the script says and what the oracle says."""

    index: tuple[int, ...]
    got: float
    expected: float


@dataclass
class TensorResult:
    """The verdict on one gradient or cotangent, and the evidence for it."""

    name: str
    kind: str
    shape: tuple[int, ...]
    spec_line: str = ""
    verdict: Verdict = Verdict.INCONCLUSIVE
    reason: str = ""
    rel_err: float | None = None
    method: str = ""
    norm: float = 0.0
    probes: int = 0
    worst: list[Element] = field(default_factory=list)
    section: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the row of the JSON report."""
        return {
            "name": self.name,
            "verdict": _with_reason(self.verdict, self.reason),
            "rel_err": finite_or_none(self.rel_err),
            "method": self.method,
            "shape": list(self.shape),
            "spec_line": self.spec_line or None,
            **_of_section(self.section),
        }


@dataclass(frozen=True)
class CheckResult:
    """The verdict of one whole-script check, such as "linear in the seed"; `tensors` names what it fails for."""

    id: str
    title: str
    verdict: Verdict
    detail: str = ""
    value: float | None = None
    tensors: tuple[str, ...] = ()
    section: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the row of the JSON report."""
        return {
            "id": self.id,
            "title": self.title,
            "verdict": str(self.verdict),
            "value": finite_or_none(self.value),
            "detail": self.detail,
            **_of_section(self.section),
        }


@dataclass(frozen=True)
class Pattern:
    """The shape of an error: a short id for programs, a sentence for people."""

    id: str
    words: str


@dataclass(frozen=True)
class Blame:
    """The rule that is wrong: its place in the spec and in the script, and the shape of the error.

    `worst` are its worst elements. Where the spec is at hand, `spec_text` is its line there, and `compiled` what
    stands in a freshly compiled script in place of `text`. Where not the line is known but only
    what may hold it, `functions` names it, the likeliest first.
    `paths` say in which calls and turns the line was wrong, `right` how its expression would be right.
    """

    name: str
    layer: str
    op: str
    spec_line: str
    line: int
    text: str
    pattern: str
    words: str
    worst: tuple[Element, ...] = ()
    spec_text: str = ""
    compiled: str = ""
    functions: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    right: str = ""
    section: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the blame as the JSON report gives it among all blames."""
        return {
            "line": self.line or None,
            "pattern": self.pattern,
            "name": self.name,
            "text": self.text or None,
            "words": self.words,
            "right": self.right or None,
            "paths": list(self.paths),
            "spec_line": self.spec_line or None,
            **_of_section(self.section),
        }

    def summary(self) -> dict[str, object]:
        """Return the blame as the JSON report gives the first."""
        return {
            "layer": self.layer or None,
            "op": self.op or None,
            "spec_line": self.spec_line or None,
            "generated_line": f"{self.line}: {self.text}" if self.line else None,
            "pattern": self.pattern,
        }


@dataclass(frozen=True)
class Crossing:
    """A place where a branch stood exactly on its edge (a tie), or would have turned within a step (a kink)."""

    line: int
    text: str
    count: int

    def to_json(self) -> dict[str, object]:
        """Return the place and how many elements were concerned."""
        return {"generated_line": f"{self.line}: {self.text}", "count": self.count}


@dataclass
class Report:
    """Everything a gradient check found out."""

    seed: int
    tensors: list[TensorResult] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)
    blame: Blame | None = None
    more: list[Blame] = field(default_factory=list)
    kinks: list[Crossing] = field(default_factory=list)
    ties: list[Crossing] = field(default_factory=list)
    taylor_order: float | None = None
    oracles: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cost_forwards: int = 0
    batch_size: int = 0

    @property
    def blames(self) -> list[Blame]:
        """All lines that are to blame, the one nearest to the loss first."""
        return [self.blame, *self.more] if self.blame else []

    @property
    def verdict(self) -> Verdict:
        """FAIL if anything fails, else INCONCLUSIVE if anything that matters is open, else PASS."""
        found = {t.verdict for t in self.tensors} | {c.verdict for c in self.checks}
        if Verdict.FAIL in found:
            return Verdict.FAIL
        certified = any(t.verdict in (Verdict.PASS, Verdict.ZERO_STRUCTURAL) for t in self.tensors)
        open_ends = Verdict.INCONCLUSIVE in found or not certified
        return Verdict.INCONCLUSIVE if open_ends else Verdict.PASS

    @property
    def reason(self) -> str:
        """Why the verdict is FAIL or INCONCLUSIVE, empty for PASS: the tensors and the checks it comes from."""
        verdict = self.verdict
        if verdict is Verdict.PASS:
            return ""
        rows = [f"{t.name}: {t.reason or 'wrong'}" for t in self.tensors if t.verdict is verdict]
        rows += [f"{c.id} {c.title}: {c.detail or 'it does not hold'}" for c in self.checks if c.verdict is verdict]
        return "; ".join(rows) or "no gradient carries a signal"

    @property
    def exit_code(self) -> int:
        """0 when the gradients are right, 1 when one is wrong or nothing could be concluded."""
        return 0 if self.verdict is Verdict.PASS else 1

    def to_json(self) -> dict[str, object]:
        """Return the report for programs; every value is plain JSON."""
        return {
            "verdict": _with_reason(self.verdict, self.reason),
            "reason": self.reason or None,
            "checks": [c.to_json() for c in self.checks],
            "tensors": [t.to_json() for t in self.tensors],
            "blame": self.blame.summary() if self.blame else None,
            "blames": [b.to_json() for b in self.blames],
            "kinks": [k.to_json() for k in self.kinks],
            "ties": [t.to_json() for t in self.ties],
            "taylor_order": finite_or_none(self.taylor_order),
            "oracles": list(self.oracles),
            "seed": self.seed,
            "cost_forwards": self.cost_forwards,
        }


def finite_or_none(value: float | None) -> float | None:
    """Return a float that JSON can hold; infinities and NaN become None."""
    return float(value) if value is not None and math.isfinite(value) else None


def worst_first(results: Sequence[TensorResult]) -> list[TensorResult]:
    """Order results by their relative error, the largest first."""
    return sorted(results, key=lambda r: -(r.rel_err if r.rel_err is not None else 0.0))
