"""Two mistakes at once in one script, in statements apart: each must be blamed, as if it were alone.

Every mistake of the gate that shows in the gradients by itself is drawn into a pair with another of the same script.
Two of one rule, or of one line, are no pair, nor are two that spoil the same array of a fast step.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cache, partial

import numpy as np
from mutation import fast, suite, trained
from mutation.rules import RULES, Rule, loss_rules
from mutation.subjects import BATCH, ROOT_FILE, SUBJECTS, right_script
from mutation.suite import Mutant
from support import as_module, generic_point

from dotnn_runtime.gradcheck import Report

CLOSE = 1e-9
"""A mistake shows where a gradient differs by more than this share of the largest one."""
APART = 1
"""So many lines at least lie between two mistakes."""


@dataclass(frozen=True)
class Pair:
    """Two mistakes, each with the names and lines that may be blamed for it in the script that holds both."""

    one: Mutant
    other: Mutant

    def check(self) -> Report:
        """Hand the script with both to the validator."""
        whole = self.one if self.one.operator not in trained.ALONE else self.other
        return whole.check()

    def blamed(self, report: Report) -> tuple[bool, bool]:
        """Whether each is blamed."""
        return _blamed(self.one, report), _blamed(self.other, report)

    def __str__(self) -> str:
        one, other = (f"{mutant.operator} {mutant.change!r}" for mutant in (self.one, self.other))
        return f"{self.one.subject}: {one} and {other}"


def _blamed(mutant: Mutant, report: Report) -> bool:
    rows = (suite.Row(mutant, str(report.verdict), b.name, b.line, b.pattern, b.words) for b in report.blames)
    return any(row.blamed_right for row in rows)


# ------------------------------------------------------------------------------------------- one script with both

Edit = tuple[int, int, tuple[str, ...]]
"""Which lines of the right script are replaced, and by what."""


def edits(right: list[str], wrong: list[str]) -> list[Edit]:
    """Return how a wrong script differs from the right one."""
    found = SequenceMatcher(None, right, wrong, autojunk=False).get_opcodes()
    return [(a, b, tuple(wrong[c:d])) for tag, a, b, c, d in found if tag != "equal"]


def paired(right: str, one: Mutant, other: Mutant) -> Pair | None:
    """Return two mistakes in one script, None where they lie in the same statement or next to each other."""
    lines = right.splitlines()
    mine, theirs = (edits(lines, m.source.splitlines()) for m in (one, other))
    own = [edit for edit in theirs if edit not in mine]  # both may bring the same function with them
    if any(
        a <= end + APART and start <= b + APART for a, b, _ in mine for start, end, _ in own if (a, b) != (start, end)
    ):
        return None
    both = sorted({*mine, *own})
    if len({edit[:2] for edit in both}) < len(both):
        return None
    source = "\n".join(_applied(lines, both)) + "\n"
    return Pair(*(replace(m, source=source, lines=_moved(m, lines, both)) for m in (one, other)))


def _applied(right: list[str], edits: list[Edit]) -> list[str]:
    lines = [*right]
    for start, end, new in reversed(edits):
        lines[start:end] = new
    return lines


def _moved(mutant: Mutant, right: list[str], both: list[Edit]) -> tuple[int, ...]:
    """Return the lines of a mistake in the script with both."""
    own = edits(right, mutant.source.splitlines())
    further = [edit for edit in both if edit not in own]
    places = {}  # of every line of the right script, and of every edit, in the script of the mistake: (its line, moved)
    for number in range(1, len(mutant.source.splitlines()) + 1):
        before = _before(number, own)
        places[number] = number + sum(len(new) - (end - start) for start, end, new in further if start < before)
    return tuple(places[number] for number in mutant.lines)


def _before(number: int, own: list[Edit]) -> int:
    """Return which line of the right script a line of a mistake stands for."""
    shift = 0
    for start, end, new in own:
        if number > start + shift + len(new):
            shift += len(new) - (end - start)
        elif number > start + shift:
            return start + 1
    return number - shift


# ------------------------------------------------------------------------------------------------- which there are


def shows(mutant: Mutant, right: str) -> bool:
    """Whether a mistake by itself stops the script, or changes a gradient at a generic point."""
    expected = _gradients(right, mutant.subject)
    try:
        found = _gradients(mutant.source, mutant.subject)
    except Exception:
        return True
    largest = max((np.abs(g).max(initial=0.0) for g in expected.values()), default=0.0)
    return any(
        np.shape(found.get(n)) != g.shape or not np.abs(found[n] - g).max(initial=0.0) <= CLOSE * largest
        for n, g in expected.items()
    )


def _gradients(source: str, subject: str):
    module = as_module(source, ROOT_FILE)
    params, batch = generic_point(module, examples=BATCH.get(subject, 11))
    with np.errstate(all="ignore"):
        return module.loss_and_grads(params, batch, rng=np.random.default_rng(0), d_loss=1.7)[1]


@dataclass(frozen=True)
class Draw:
    """Two mistakes that were drawn: the right script, and what makes each."""

    right: Callable[[], str]
    one: suite.Maker
    other: suite.Maker

    def pair(self) -> Pair | None:
        """Return them in one script; None where they are not apart, or one by itself or both do not show."""
        one, other, right = self.one(), self.other(), self.right()
        found = paired(right, one, other) if self._are_two(one, other) else None
        scripts = (one, other, *([found.one] if found is not None else []))  # two may make up for each other
        shown = one.beside is not None or all(shows(mutant, right) for mutant in scripts)
        return found if shown else None

    def _are_two(self, one: Mutant, other: Mutant) -> bool:
        needed = all((m.names or m.lines) and m.names != (fast.LOSS,) for m in (one, other))
        return needed and not set(one.names) & set(other.names)


def _lines(rng: random.Random) -> Iterator[Draw]:
    for subject in SUBJECTS:
        makers = [partial(_itself, m) for m in suite.line_mutants(subject) if not suite.equivalent(m)]
        yield from _by_two(partial(right_script, subject), makers, rng)


def _itself(mutant: Mutant) -> Mutant:
    return mutant


def _rules(rng: random.Random) -> Iterator[Draw]:
    for subject in SUBJECTS:
        rules = [rule for rule in [*RULES, *loss_rules()] if subject in rule.subjects]
        for one, other in itertools.combinations(rules, 2):
            if one.op != other.op:
                makers = (partial(_with_right_heading, rule, subject) for rule in (one, other))
                yield Draw(partial(right_script, subject), *makers)


def _with_right_heading(rule: Rule, subject: str) -> Mutant:
    """Return the mistake of a rule; the digest in the first lines of its script is the right one's."""
    mutant, right = suite.rule_mutant(rule, subject), right_script(subject).splitlines()
    start = next(i for i, line in enumerate(right) if line.startswith(("import ", "from ")))
    lines = mutant.source.splitlines()
    assert len(lines) > start and lines[start] == right[start]
    changed = tuple(line for line in mutant.lines if line > start)
    return replace(mutant, source="\n".join([*right[:start], *lines[start:]]) + "\n", lines=changed)


def _steps(rng: random.Random) -> Iterator[Draw]:
    for subject in fast.SUBJECTS:
        makers = [partial(suite.fast_mutant, step, subject) for step in suite.faulty_steps(subject)]
        yield from _by_two(partial(fast.right_source, subject), makers, rng)


def _training(rng: random.Random) -> Iterator[Draw]:
    makers = (make for name, g in suite.groups().items() if name.startswith("trained_") for make in g.makers())
    by_subject: dict[str, list[Mutant]] = {}
    for mutant in (make() for make in makers):
        if not suite.equivalent(mutant):
            by_subject.setdefault(mutant.subject, []).append(mutant)
    for mutants in by_subject.values():
        for _ in range(2):
            yield from _by_two(partial(_compiled, mutants[0]), [partial(_itself, m) for m in mutants], rng)


def _compiled(mutant: Mutant) -> str:
    assert mutant.beside is not None
    return mutant.beside.compiled.script


def _by_two(right: Callable[[], str], makers: list[suite.Maker], rng: random.Random) -> Iterator[Draw]:
    """Draw every mistake of a script into one pair."""
    rng.shuffle(makers)
    yield from (Draw(right, a, b) for a, b in zip(makers[::2], makers[1::2], strict=False))


KINDS = {"lines": _lines, "rules": _rules, "fast": _steps, "training": _training}


@cache
def drawn(kind: str, seed: int = 11) -> tuple[Draw, ...]:
    """Return what was drawn for a kind of script, in an order of chance."""
    rng = random.Random(seed)
    found = list(KINDS[kind](rng))
    rng.shuffle(found)
    return tuple(found)
