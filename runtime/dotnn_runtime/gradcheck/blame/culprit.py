"""Which of several suspects is to blame: the one of which another version makes everything right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ..tracing.run import Event, Place
from ..tracing.weave import Site
from .assess import Assessment, Wrong
from .edits import TIERS
from .expect import Expectation
from .repair import Repair, Repairs
from .sites import only_reads
from .suspects import suspects

MOST_REPAIRS = 6
SURE, UNSURE = 10_000, 100_000
"""How many events are replayed to find a repair where one line alone is suspected, and where several are."""


class Culprit(NamedTuple):
    """The site to blame, its repair if one was found, and the other suspects."""

    site: Site
    repair: Repair | None
    others: list[Site]


class _Found(NamedTuple):
    """A repair: what is wrong with it still, how unlikely it is, which of several is preferred."""

    wrong: int
    unlikely: int
    order: int
    repair: Repair


def culprit(state: Assessment, wrong: Wrong, blamed: Collection[int]) -> Culprit:
    """Return who is to blame for a wrong event; the sites `blamed` already are to blame for what else they may be."""
    misplaced = _under_another_name(state, wrong.event)
    if misplaced is not None:
        return Culprit(misplaced, None, [])
    sites = suspects(state, wrong.event)
    for site in sites:
        if site.number in blamed:
            return Culprit(site, None, sites)
    repair = _Inquiry(state, wrong, sites).best() if not _should_be_nothing(wrong) else None
    if repair is not None:
        return Culprit(repair.site, repair, sites)
    common = _behind_several(state, wrong.event, sites)
    if common is not None:
        return Culprit(common, None, sites)
    source = state.source(wrong.event)  # a function whose lines are judged, or a helper, which is its caller's matter
    judged = any(e.frame == source.frame for e, _ in state.judged)
    return Culprit(source.site if judged else wrong.event.site, None, sites)


def _should_be_nothing(wrong: Wrong) -> bool:
    """Whether zero is right, which every expression without a value would be."""
    expectation = wrong.expectation
    return expectation is not None and bool(expectation.targets) and not np.any(expectation.targets[0].value)


def _under_another_name(state: Assessment, event: Event) -> Site | None:
    """Return the statement that has put a gradient where another belongs, where one is missing at the end."""
    missing = event.stopped.args[0] if isinstance(event.stopped, KeyError) and event.stopped.args else None
    right = state.run.params.get(missing) if isinstance(missing, str) else None
    if right is None or right.total is None:
        return None
    for e in state.run.backward:
        if "[" in e.name and e.site.kind != "return" and state.truths.same(e.value, right.total):
            return e.site
    return None


def _behind_several(state: Assessment, event: Event, sites: list[Site]) -> Site | None:
    """Return the suspect that makes several lines wrong which read it: one is more likely wrong than all of them."""
    most: tuple[int, Site] | None = None
    for site in sites:
        if site.number == event.site.number or site.kind != "assign":
            continue
        made = [e for e in state.of_site(site.number, before=event) if e.seeded and state.expected.of(e) is None]
        readers = [user for e in made for user in state.expected.consumers[e.number]]
        judged = {u.site.number: state.is_right(u) for u in readers if state.expected.of(u) is not None}
        if len(judged) > 1 and not any(judged.values()) and (most is None or len(judged) > most[0]):
            most = len(judged), site
    return most[1] if most is not None else None


class _Inquiry:
    """The search for the best repair of a wrong event."""

    def __init__(self, state: Assessment, wrong: Wrong, sites: list[Site]) -> None:
        self.state, self.sites = state, sites
        self.event, self.expectation = wrong
        self.bench = state.bench
        self.search = Repairs(self.bench, SURE if len(sites) == 1 else UNSURE)
        self.before = state.wrong(self.bench.again())

    def best(self) -> Repair | None:
        found: list[_Found] = []
        for tier in range(TIERS):
            found += self._of_tier(tier)
            if found and (tier == 1 or not min(f.wrong for f in found)):
                break
        return min(found, key=lambda f: f[:3]).repair if found else None

    def _of_tier(self, tier: int) -> Iterator[_Found]:
        """Yield the repairs of a tier that make much of what is wrong right."""
        adds = tier > 1
        for order, site in enumerate(self.sites):
            if adds and order and only_reads(site):
                continue
            right = partial(self._holds, self.event, self.expectation)
            repairs = self.search.at(site, self._execution(site), right, self._local(site), tier)
            for repair in islice(repairs, MOST_REPAIRS):
                left = self.state.wrong(self.bench.again())
                if self._is_better(site, left):
                    preferred = self._distance(site, order) if adds else order
                    yield _Found(len(left), tier + repair.rank // 200, preferred, repair)
                if not left:
                    break

    def _is_better(self, site: Site, left: set[Place | str]) -> bool:
        """Whether less is wrong with a repair: of another statement than the event's own, no more than half of it.

        What a statement makes in one turn is not put right by what spoils another.
        """
        if any(isinstance(place, Place) and place.site == site.number for place in left - self.before):
            return False
        own = site.number == self.event.site.number
        return len(left) < len(self.before) if own else 2 * len(left) <= len(self.before)

    def _distance(self, site: Site, order: int) -> int:
        """Return the less, the longer before the event a site has made a cotangent.

        What is missing from a product is missing from the first line that it could be added to.
        """
        made = [e.number for e in self.state.of_site(site.number, before=self.event) if e.seeded]
        return made[-1] - self.event.number if made else order

    def _execution(self, site: Site) -> int:
        """Return when a site was executed last before the event."""
        return max((e.execution for e in self.state.of_site(site.number, before=self.event)), default=0)

    def _holds(self, event: Event, expectation: Expectation | None) -> bool:
        """Whether an event is right in a replay, or the gradient that it should be."""
        if event.stopped is not None and expectation is None:
            return len(self.state.wrong(self.bench.again())) < len(self.before)
        if expectation is not None and expectation.sure:
            return self._returned(event, expectation)
        if event.place.part >= 1 and event.site.kind != "unpack":  # finished later, perhaps
            all_of_it = [e for e in self.bench.again().events if e.place[:3] == event.place[:3]]
            return any(self.state.meets(expectation, e.value) for e in all_of_it)
        now = self.bench.again(event.place, kept={event.place}).at(event.place)
        return now is not None and now.stopped is None and self.state.meets(expectation, now.value)

    def _returned(self, event: Event, expectation: Expectation) -> bool:
        """Whether the gradient that an event should be is returned, or made by the event."""
        run = self.bench.again(kept={event.place})
        grads = run.grads if isinstance(run.grads, dict) else {}
        nodes = [target.node for target in expectation.targets]
        names = [name for name, node in self.state.run.params.items() if any(node is n for n in nodes)]
        if any(grads.get(n) is not None and self.state.meets(expectation, grads[n]) for n in names):
            return True
        now = run.at(event.place)
        return now is not None and now.stopped is None and self.state.meets(expectation, now.value)

    def _local(self, site: Site) -> Callable[[Any], bool] | None:
        """Return what judges the value of a site's own expression, where that is the value of the event."""
        event, expectation, place = self.event, self.expectation, self.event.place
        if expectation is None or site.kind == "loop" or place.is_buffer or (site.kind, place.part) == ("part", 1):
            return None
        if not site.number == event.site.number == place.site:
            return None
        many = site.kind in ("unpack", "return") and len(site.names) > 1

        def judge(value: Any) -> bool:
            value = value[place.part] if many else value
            value = value[place.key] if place.key else value
            return expectation.met(self.state.truths, np.asarray(value))

        return judge
