"""`noise = gradient(0.01)`: Gaussian noise at every update."""

from __future__ import annotations

from dotnn.core.arguments import Arg, Symbol, registered
from dotnn.library.noises import NOISES
from dotnn.model.settings import EACH, Setting, plain

KIND = registered("noise", "a noise such as gradient(0.01) or weights(0.01)")
NOISE = Setting(
    "noise",
    "Gaussian noise at every update, `gradient(0.01)` or `weights(0.01)`; default: none",
    plain(Arg("noise", KIND, Symbol("none"))),
    counts=lambda noise: "step" in noise.entry.deviation and bool(noise.attrs.get("fade")),
    args=tuple((n.name, n.args) for n in NOISES.values()),
    turns=EACH,
)
