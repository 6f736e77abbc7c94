"""The rules that end a training, or one of several sections: what the state keeps for them, and their statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dotnn.codegen import training, tree
from dotnn.codegen.lines import literal, table
from dotnn.codegen.loop_words import RECORD, Words
from dotnn.codegen.sections import Section
from dotnn.model.model import EarlyStop, Stop, StopAfter, StopWhen, Train

SPENT = 'state["stopped_by"] != "epochs"'
"""Once rules have ended the training."""


def stops(sections: Sequence[Section]) -> bool:
    """Whether a rule may end one of them, or all together."""
    return any(s.stops or s.limit for s in sections)


def kept(sections: Sequence[Section], words: Words) -> dict[str, str]:
    """Return what a state begins with for the rules."""
    found: dict[str, str] = {}
    (first, *_) = sections
    if first.name:
        best = {s.name: table({"value": _worst(s.early), "epoch": "0", "params": "{}"}) for s in sections if s.early}
        ended = {s.name: '""' for s in sections if s.stops}
        found = {name: table(each) for name, each in {"ended": ended, "best": best}.items() if each}
    elif first.early:
        found = {"best": _worst(first.early), "best_params": words.first, "best_epoch": "0"}
        found |= {"best_step": "0"} if first.validates_early else {}
    return found


def _worst(early: EarlyStop) -> str:
    return "-np.inf" if early.better == "max" else "np.inf"


def over(sections: Sequence[Section]) -> list[tree.Stmt]:
    """Return the first statement of an epoch: none begins after rules have ended the training."""
    return [tree.If(SPENT, (tree.Do("break"),))] if stops(sections) else []


def rules(sections: Sequence[Section], words: Words) -> Iterator[tree.Stmt]:
    """Yield the rules, after the figures of an epoch; once all sections have ended, the training has."""
    for s in sections:
        found = [*_rules(s, words)]
        found = [words.remarks[s.name], *found] if found and s.name in words.remarks else found
        yield from [tree.If(s.goes_on, tuple(found))] if found and s.name else found
    if sections[0].name and all(s.stops for s in sections):
        why = '"; ".join(f"{name}: {why}" for name, why in state["ended"].items())'
        yield tree.If('all(state["ended"].values())', (tree.assign('state["stopped_by"]', why),))
    limit = sections[0].limit
    if limit is not None:
        late = f'state["stopped_by"] == "epochs" and {_late(limit, words)}'
        yield tree.If(late, (tree.assign('state["stopped_by"]', literal(reason(limit, sections[0].train))),))


def _rules(section: Section, words: Words) -> Iterator[tree.Stmt]:
    """Yield the rules of a section; an epoch that another one ends does not count for early stopping."""
    others = [*_thresholds(section), *_time_limit(section, words)]
    yield from others
    if section.early and not section.validates_early:
        early = early_rule(section, words)
        yield tree.If(section.goes_on, (early,)) if others else early
        if section.name:
            yield tree.If(section.ended, words.back(section.names, best_params(section)))


def _thresholds(section: Section) -> Iterator[tree.Stmt]:
    for stop in section.train.stops:
        if isinstance(stop, StopWhen):
            ends = tree.assign(section.ended, literal(reason(stop, section.train)))
            reached = f'{RECORD}["{section.names.figure(stop.quantity)}"] {stop.op} {stop.threshold!r}'
            yield tree.If(reached, (ends,))


def _time_limit(section: Section, words: Words) -> Iterator[tree.Stmt]:
    limit = training.time_limit(section.train)
    if limit is not None:
        ends = tree.assign(section.ended, literal(reason(limit, section.train)))
        yield tree.If(_late(limit, words), (ends,))


def _late(limit: StopAfter, words: Words) -> str:
    """Return the condition that the time is over."""
    return f"{words.seconds} > {60 * limit.minutes!r}"


def early_rule(section: Section, words: Words, record: str = RECORD) -> tree.Stmt:
    """Return the rule that stops early by the figures of an epoch, or by those of a validation between two."""
    early, steps = section.early, section.train.setting("validate") if record != RECORD else 0
    assert early is not None
    margin = f" {'-' if early.better == 'min' else '+'} {early.min_delta!r}" if early.min_delta else ""
    order = "<=" if early.better == "min" else ">="
    value = f'{record}["{section.names.figure(early.quantity)}"]'
    best, epoch, better = _best(section, words, value, validates=bool(steps))
    ends = tree.assign(section.ended, literal(reason(early, section.train)))
    long = f'done == state["best_step"] + {early.patience * steps}' if steps else f"epoch == {epoch} + {early.patience}"
    return tree.If(f"{value} {order} {best}{margin}", (better,), (tree.If(long, (ends,)),))


def _best(section: Section, words: Words, value: str, *, validates: bool) -> tuple[str, str, tree.Stmt]:
    """Return where the state has the best value and its epoch, and the statement that puts a better one there."""
    names, params = section.names, words.best(section.names)
    if names.section:
        best = names.kept("best")
        better = tree.assign(best, table({"value": value, "epoch": "epoch", "params": params}))
        return f'{best}["value"]', f'{best}["epoch"]', better
    entries = {"best": value, "best_epoch": "epoch", "best_params": params}
    entries |= {"best_step": "done"} if validates else {}
    return 'state["best"]', 'state["best_epoch"]', tree.assign("state", table(entries), "|=")


def best_params(section: Section) -> str:
    """Return where the state has the best parameters."""
    return f'{section.names.kept("best")}["params"]' if section.name else 'state["best_params"]'


def at_the_end(sections: Sequence[Section], words: Words) -> Iterator[tree.Stmt]:
    """Yield the statements after the loop: the best parameters of each section, and how the training ended."""
    for s in sections:
        if s.name and s.early:
            best = s.names.kept("best")
            yield tree.If(f'{best}["epoch"]', words.back(s.names, best_params(s)))
    if not sections[0].name and sections[0].early:
        how = 'state["stopped_by"], state["best_epoch"]'
        yield tree.Assign(("history.stopped_by", "history.best_epoch"), how)
    elif stops(sections):
        yield tree.assign("history.stopped_by", 'state["stopped_by"]')


def reason(stop: Stop, train: Train) -> str:
    """Return how a training is said to have ended that a rule of `train` ended: `stopped_by`."""
    match stop:
        case StopWhen():
            return f"{stop.quantity} {stop.op} {stop.threshold!r}"
        case StopAfter():
            return f"{stop.minutes:g} minute{'s' * (stop.minutes != 1)}"
        case EarlyStop():
            return f"no better {stop.quantity} for {waited(stop, train)}"


def waited(early: EarlyStop, train: Train) -> str:
    """Return in words how long a quantity may be no better: in epochs, or in the validations between their ends."""
    return f"{early.patience} {'validations' if training.validates_early(early, train) else 'epochs'}"


def which_ended(stopped_by: str, train: Train) -> Stop | None:
    """Return the rule of `train` that ended a training, None where none of them did."""
    return next((stop for stop in train.stops if reason(stop, train) == stopped_by), None)
