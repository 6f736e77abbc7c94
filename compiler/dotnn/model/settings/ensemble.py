"""`ensemble = bag(10)`: ten networks, each trained on examples drawn with replacement, which answer together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dotnn.core.arguments import Arg, choice, number
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.messages.base import Fail
from dotnn.model.model import Model
from dotnn.model.section import SectionReader
from dotnn.model.settings import Clash, Setting
from dotnn.model.stops import Quantities
from dotnn.syntax import nodes

MEMBERS = number("a whole number from 2 up", lambda v: v >= 2 and float(v).is_integer())
BAG = (
    Arg("members", MEMBERS, doc="how many networks are trained, with the seeds from `seed` on"),
    Arg("combine", choice("mean", "vote", "median"), "mean", "what of the members' outputs the ensemble's are"),
)
BALLOTS = {"class": "class", "distribution": "class", "unit": "unit", "binary": "unit", "sign": "sign"}
"""How a member votes, by the kind of the target: for its likeliest class, or on one side of 1/2, or of 0."""


@dataclass(frozen=True)
class Bag:
    """So many members, and how their outputs become one."""

    members: int
    combine: str

    def __str__(self) -> str:
        return f"bag({self.members}, combine = {self.combine})"


def ballots(model: Model) -> Mapping[str, str]:
    """Return how a member votes on each output, where it can: "class", "unit" or "sign"."""
    kinds = {term.output: BALLOTS.get(term.target_kind.partition(":")[0], "") for term in model.train.losses}
    return {name: kinds[path] for name, path in model.outputs.items() if kinds.get(path)}


def _read(expr: nodes.Expr, section: SectionReader, quantities: Quantities) -> Bag:
    if not isinstance(expr, nodes.Call) or expr.func.id != "bag":
        help = "for instance: ensemble = bag(10), or bag(10, combine = vote)"
        raise Fail(messages.training.setting_form(expr.span, "ensemble", "bag(members)", help))
    attrs = bind("bag", BAG, expr.args, expr.span, section.constants)
    return Bag(int(attrs["members"]), str(attrs["combine"]))


def _clashes(model: Model, bag: Bag) -> Iterator[Clash]:
    unable = [name for name in model.outputs if name not in ballots(model)]
    if bag.combine == "vote" and unable:
        yield f"the output {unable[0]} is of no class, for which a member could vote", "use combine = mean, or median"
    if any(p.name.endswith(".carried") for p in model.params.values() if not p.trained):
        yield "a stateful layer reads the examples in their order, and a bag has none", "leave stateful out"


ENSEMBLE = Setting(
    "ensemble",
    "`bag(10)`: so many networks, each trained on as many examples as there are, drawn with replacement, and with a "
    "seed of its own; `dotnn train` makes a run of runs, which answer together; default: one network",
    _read,
    _clashes,
    args=(("bag", BAG),),
    turns="what the sections of one member have agreed on means nothing to those of another",
)
