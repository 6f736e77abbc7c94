"""What `dotnn diff` found: how far two trainings are apart, step by step, as data, JSON and text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

TOLERANCE = 1e-9
"""Scripts agree where no tensor of a step differs by more than this share of its size."""
LIKE_ROUNDING = 10
"""A difference that is at most so many times what rounding alone does to the training says nothing of the scripts."""
LAST_STEPS = 5
"""How many steps before the first difference are shown."""


@dataclass(frozen=True)
class Difference:
    """How far one tensor of one step is from its counterpart in another script. `kind` is loss, gradient or weight.

    `error` is infinite where one of them is not finite, and NaN where neither is: then both trainings diverge. `script`
    says which other script it is, and `style` whether that is another style of the same target.
    """

    step: int
    kind: str
    name: str
    error: float
    script: str = ""
    style: bool = False

    def to_json(self) -> dict[str, object]:
        """Return the fields; an error that is no number is null."""
        fields = {name: value for name, value in vars(self).items() if name != "style"}
        return {**fields, "error": self.finite_error}

    @property
    def finite_error(self) -> float | None:
        """The error, None where it is no number that JSON can hold."""
        return self.error if math.isfinite(self.error) else None

    def __str__(self) -> str:
        what = "the loss" if self.kind == "loss" else f"the {self.kind} of {self.name}"
        return f"{what} in the {self.script}" if self.style else what


def explains(rounding: float, error: float) -> bool:
    """Whether a difference is no larger than what comes from rounding."""
    return error <= LIKE_ROUNDING * rounding


class LargestOfStep(TypedDict):
    """The largest difference of a step: of which tensor, and how large (None: not finite)."""

    step: int
    largest: str
    error: float | None


@dataclass
class Trajectory:
    """The largest difference of every step, and the first that is too large.

    `rounding` is how far rounding alone takes the training from itself by then. Where that explains the difference, all
    steps are taken once more, each from the same weights in all scripts: `alike` says whether they are the same then.
    """

    steps: list[LargestOfStep] = field(default_factory=list)
    worst: Difference = field(default_factory=lambda: Difference(0, "loss", "", 0.0))
    first: Difference | None = None
    place: str = ""
    rounding: float = 0.0
    alike: bool = False

    def add(self, number: int, made: list[Difference]) -> None:
        """Take the differences of a step."""
        self.first = next((d for d in made if not d.error <= TOLERANCE), None)
        largest = max(made, key=lambda d: math.inf if math.isnan(d.error) else d.error)
        self.steps.append({"step": number, "largest": str(largest), "error": largest.finite_error})
        if largest.error > self.worst.error:
            self.worst = largest

    @property
    def verdict(self) -> str:
        """PASS, FAIL, or INCONCLUSIVE: the training diverges, or multiplies rounding until it is as large as the
        difference, and its steps cannot be told from rounding one by one, either."""
        if self.first is None or self.alike:
            return "PASS"
        proves_nothing = self.diverges or explains(self.rounding, self.first.error)
        return "INCONCLUSIVE" if proves_nothing else "FAIL"

    @property
    def diverges(self) -> bool:
        """Whether the trainings end in numbers that are not finite, on both targets in the same step."""
        return self.first is not None and math.isnan(self.first.error)

    def to_json(self) -> dict[str, object]:
        """Return the report as one JSON object."""
        parted = None
        if self.first is not None:
            parted = {**self.first.to_json(), "place": self.place, "rounding": self.rounding, "alike": self.alike}
        return {
            "verdict": self.verdict,
            "steps": len(self.steps),
            "tolerance": TOLERANCE,
            "largest": self.worst.to_json(),
            "diverged": parted,
            "trajectory": self.steps,
        }

    def to_text(self) -> str:
        """Return the report as a few lines."""
        if self.first is None:
            return (
                f"PASS  {len(self.steps)} steps on both targets agree to {self.worst.error:.1e}"
                f"  (largest: {self.worst} in step {self.worst.step})"
            )
        if self.alike:
            return (
                "PASS  every step does the same when it starts from the same weights; one after the other they differ"
                f" from step {self.first.step} on\n{self._rounding}"
            )
        if self.diverges:
            return (
                f"INCONCLUSIVE  {self.first} is not finite on either target in step {self.first.step}  ({self.place})\n"
                f"Until then they agree to {self.worst.error:.1e}. A smaller learning rate says more."
            )
        return "\n".join(self._steps_to(self.first))

    def _steps_to(self, first: Difference) -> list[str]:
        lines = [f"{self.verdict}  {first} differs by {first.error:.1e} in step {first.step}  ({self.place})"]
        lines += [
            f"  step {step['step']}: largest difference {_shown(step['error'])} in {step['largest']}"
            for step in self.steps[-LAST_STEPS:]
        ]
        return lines + ([f"{self._rounding} A smaller learning rate says more."] if self.verdict != "FAIL" else [])

    @property
    def _rounding(self) -> str:
        return (
            "This training multiplies rounding: NumPy beside NumPy, every number in it moved by a unit in the last\n"
            f"place, differs by {self.rounding:.1e}."
        )


def _shown(error: float | None) -> str:
    return "without limit" if error is None else f"{error:.1e}"


@dataclass(frozen=True)
class Trajectories:
    """What was found of sections that take turns, by their names: each trains as if it were the only one."""

    sections: Mapping[str, Trajectory]

    @property
    def verdict(self) -> str:
        """The worst of all sections: FAIL, INCONCLUSIVE or PASS."""
        found = {one.verdict for one in self.sections.values()}
        return next(verdict for verdict in ("FAIL", "INCONCLUSIVE", "PASS") if verdict in found)

    def to_json(self) -> dict[str, object]:
        """Return the reports of all sections in one JSON object."""
        return {"verdict": self.verdict, "sections": {name: one.to_json() for name, one in self.sections.items()}}

    def to_text(self) -> str:
        """Return the reports of all sections, each behind its name."""
        width = max(map(len, self.sections))
        return "\n".join(f"{name:<{width}}  {one.to_text()}" for name, one in self.sections.items())
