"""A limit for the norm of a unit's weights, and limits for every weight."""

from __future__ import annotations

from dotnn.core.arguments import NUMBER, POSITIVE, Arg
from dotnn.library.constraints import Constraint

MAX_NORM = Constraint(
    "max_norm",
    "The weights into each unit, as a vector, are no longer than `limit`; a longer one is scaled back.",
    "w = w limit / |w| where |w| > limit, for the weights w of one unit",
    "max_norm(w, limit)",
    (Arg("limit", POSITIVE, 2.0, "the largest norm"),),
    "Srebro and Shraibman 2005; Srivastava et al. 2014, Section 5.1",
    "max_norm",
)
BOUNDS = Constraint(
    "bounds",
    "No single weight leaves the interval.",
    "w = min(max(w, low), high)",
    "clip(w, low, high)",
    (Arg("low", NUMBER, doc="the smallest weight"), Arg("high", NUMBER, doc="the largest weight")),
    "projected gradient descent, Bertsekas 1976",
)
