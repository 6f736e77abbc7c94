"""Which of several suspects is to blame: the one of which another version makes everything right."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ..reading.types import Array
from ..tracing.run import Event, Patch, Place, Run
from ..tracing.weave import Site
from .assess import Assessment, Wrong
from .edits import TIERS
from .expect import Expectation
from .repair import Local, Repair, Repairs
from .sites import base_name, counts_in, handed_on, names_in, only_reads
from .slopes import stages
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
    stage = _wrong_stage(state, wrong, sites)
    if stage is not None:
        return Culprit(stage, _Inquiry(state, wrong, [stage]).best(), [])
    repair = _Inquiry(state, wrong, sites).best() if not _should_be_nothing(wrong) else None
    if repair is not None:
        return Culprit(repair.site, repair, sites)
    summed = _maker(sites[0], sites) if wrong.event.stopped is None and _fits(wrong) else None
    if summed is not None:
        return Culprit(summed, None, sites)
    common = _behind_several(state, wrong.event, sites)
    if common is not None:
        return Culprit(common, None, sites)
    return Culprit(_outermost(state, wrong.event), None, sites)


def _maker(site: Site, sites: list[Site]) -> Site | None:
    """Return the suspect that makes what a statement only stores, or sums over some axes."""
    name = handed_on(site)
    makers = (s for s in sites if s is not site and s.kind == "assign" and name in s.names)
    return next(makers, None) if name else None


def _wrong_stage(state: Assessment, wrong: Wrong, sites: list[Site]) -> Site | None:
    """Return the line of a slope with which it is right once it makes what the function itself makes on its way."""
    event, bench = wrong.event, state.bench
    own = [s for s in sites if s.kind == "assign" and s.function == event.site.function]
    if event.number not in state.expected.slopes or not own:
        return None
    values = list(stages(bench.follower.script, state.run, event))
    return next((s for s in own if any(_is_right_with(state, wrong, s, v) for v in values if not bench.is_late)), None)


def _is_right_with(state: Assessment, wrong: Wrong, site: Site, value: Array) -> bool:
    """Whether an event is right where a line makes a value."""
    patches = state.bench.follower.patches
    before = patches.get(site.number)
    patches[site.number] = lambda names: value
    try:
        now = state.bench.again(wrong.event.place).at(wrong.event.place)
    finally:
        patches.pop(site.number)
        if before is not None:
            patches[site.number] = before
    return now is not None and now.stopped is None and state.meets(wrong.expectation, now.value)


def _outermost(state: Assessment, event: Event) -> Site:
    """Return the site that has made an event: one whose lines are judged, for a helper is its caller's matter."""
    if event.stopped is not None:
        return _unnamed(state, event) or event.site
    event = state.source(event)
    site, frame = event.site, event.frame
    judged = {e.frame for e, _ in state.judged if e.name.startswith("d_") or e.number in state.expected.slopes}
    while frame not in judged and state.run.frames[frame].function not in ("", "backward"):
        call = state.run.frames[frame]
        site, frame = state.bench.follower.sites[call.site], call.caller
    return site


def _unnamed(state: Assessment, event: Event) -> Site | None:
    """Return the statement that fills a dict with whole dicts, where a key is missing: `grads |= {…: g for …}`."""
    read = names_in([event.site.node]) if isinstance(event.stopped, KeyError) else set[str]()
    filling = (s for s in state.bench.follower.sites if s.function == event.site.function and s.kind == "part")
    return next((s for s in filling if base_name(s.names[0]) in read and not any(state.of_site(s.number))), None)


def _should_be_nothing(wrong: Wrong) -> bool:
    """Whether zero is right, which every expression without a value would be."""
    expectation = wrong.expectation
    return expectation is not None and bool(expectation.targets) and not np.any(expectation.targets[0].value)


def _fits(wrong: Wrong) -> bool:
    """Whether an event has the shape of what it should be."""
    targets = wrong.expectation.targets if wrong.expectation is not None else ()
    value = wrong.event.value
    return value is not None and any(value.shape == target.value.shape for target in targets)


def _under_another_name(state: Assessment, event: Event) -> Site | None:
    """Return the statement that has put a gradient where another belongs, where one is missing at the end."""
    missing = event.stopped.args[:1] if isinstance(event.stopped, KeyError) else ()
    right = next((state.run.params[name].total for name in missing if name in state.run.params), None)
    stored = (e for e in state.run.backward if "[" in e.name and e.site.kind != "return" and e.frame == event.frame)
    return next((e.site for e in stored if right is not None and state.truths.same(e.value, right)), None)


def _behind_several(state: Assessment, event: Event, sites: list[Site]) -> Site | None:
    """Return the suspect that makes several lines wrong which read it: one is more likely wrong than all of them."""
    others = (site for site in sites if site.number != event.site.number and site.kind == "assign")
    counted = [(_wrong_readers(state, site, event), site) for site in others]
    most = max(counted, key=lambda pair: pair[0], default=(0, event.site))
    return most[1] if most[0] > 1 else None


def _wrong_readers(state: Assessment, site: Site, event: Event) -> int:
    """Return how many lines are wrong that read cotangents which nothing is expected of; 0 if one is right."""
    made = [e for e in state.of_site(site.number, before=event) if e.seeded and state.expected.of(e) is None]
    readers = [user for e in made for user in state.expected.consumers[e.number] if state.expected.of(user) is not None]
    return 0 if any(map(state.is_right, readers)) else len({user.site.number for user in readers})


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
        for order, site in enumerate(self._cotangents_first() if adds else self.sites):
            if adds and self._computes_nothing(site, order):
                continue
            right = partial(self._holds, self.event, self.expectation)
            repairs = self.search.at(site, self._execution(site), right, self._local(site), tier)
            for repair in islice(repairs, MOST_REPAIRS):
                left = self.state.wrong(self.bench.again())
                if self._is_better(site, left):
                    preferred = self._distance(site, order) if adds else self._nearness(site, order)
                    unlikely = tier + repair.rank // 200 - self._explains(repair)
                    yield _Found(len(left), unlikely, preferred, repair)
                if not left:
                    break

    def _cotangents_first(self) -> list[Site]:
        """Return the suspects without empty buffers, those last that make no cotangents: heads of loops, masks."""
        some = [site for site in self.sites if site is self.sites[0] or not self._is_empty(site)]
        return sorted(some, key=lambda site: not self._makes_cotangents(site))

    def _is_empty(self, site: Site) -> bool:
        """Whether a statement makes nothing but zeros, which no factor changes."""
        made = [e for e in self.state.of_site(site.number, before=self.event) if e.value is not None]
        return bool(made) and not any(event.seeded or np.any(event.value) for event in made)

    def _makes_cotangents(self, site: Site) -> bool:
        return any(event.seeded for event in self.state.of_site(site.number, before=self.event))

    def _computes_nothing(self, site: Site, order: int) -> bool:
        """Whether nothing can be missing from a statement, for it computes nothing.

        From one that calls a cotangent by another name it may be. From one that stores or sums a name it is not where
        the line that makes what is called so is suspected, too.
        """
        if order == 0 or site is self.sites[0]:
            return _maker(site, self.sites) is not None
        if not only_reads(site):
            return False
        renames = site.kind == "assign" and isinstance(getattr(site.node, "value", None), ast.Name)
        return not (renames and self._makes_cotangents(site))

    def _is_better(self, site: Site, left: set[Place | str]) -> bool:
        """Whether less is wrong with a repair: of another statement than the event's own, no more than half of it.

        What a statement makes in one turn is not put right by what spoils another.
        """
        if any(isinstance(place, Place) and place.site == site.number for place in left - self.before):
            return False
        if isinstance(self.event.stopped, KeyError) and left.intersection(self.event.stopped.args):
            return False  # the gradient is not asked for, that is all
        own = site.number == self.event.site.number
        return len(left) < len(self.before) if own else 2 * len(left) <= len(self.before)

    def _explains(self, repair: Repair) -> bool:
        """Whether something superfluous was there: few expressions are a part of another, so that is no chance.

        What only leaves out the operation that has stopped explains nothing.
        """
        if self.event.stopped is None or not repair.only_removes:
            return repair.only_removes
        own = self.event.site.number
        self.bench.again(kept=())
        return repair.site.number != own and self.bench.follower.executions(own) > self.event.execution

    def _nearness(self, site: Site, order: int) -> int:
        """Return in which order equal repairs are preferred: the event's own, that of a count, those of its readers."""
        return order + len(self.sites) * (order > 0 and not counts_in(getattr(site.node, "value", None)))

    def _distance(self, site: Site, order: int) -> int:
        """Return the less, the longer before the event a site has made a cotangent.

        What is missing from a product is missing from the first line that it could be added to.
        """
        made = [e.number for e in self.state.of_site(site.number, before=self.event) if e.seeded]
        if made or site.number == self.event.site.number:
            return (made[-1] if made else self.event.number) - self.event.number
        return order + 1

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
        return self._made(self.bench.again(event.place, kept={event.place}))

    def _returned(self, event: Event, expectation: Expectation) -> bool:
        """Whether the gradient that an event should be is returned, or made by the event."""
        run = self.bench.again(kept={event.place})
        nodes = {id(target.node) for target in expectation.targets}
        names = [name for name, node in self.state.run.asked_for.items() if id(node) in nodes]
        grads = [run.grads.get(name) for name in names] if isinstance(run.grads, dict) else []
        return any(self.state.meets(expectation, g) for g in grads) or self._made(run)

    def _made(self, run: Run) -> bool:
        """Whether a replay has made the event as it should be."""
        now = run.at(self.event.place)
        return now is not None and now.stopped is None and self.state.meets(self.expectation, now.value)

    def _local(self, site: Site) -> Local | None:
        """Return what judges a site by the value of its own expression, where that is the value of the event."""
        event, expectation, place = self.event, self.expectation, self.event.place
        if expectation is None or site.kind == "loop" or place.is_buffer or (site.kind, place.part) == ("part", 1):
            return None
        if not site.number == event.site.number == place.site:
            return None
        many = site.kind in ("unpack", "return") and len(site.names) > 1

        def judge(names: dict[str, Any], patch: Patch) -> bool:
            value = patch(dict(names))
            value = value[place.part] if many else value
            value = value[place.key] if place.key else value
            return expectation.met(self.state.truths, np.asarray(value))

        return judge
