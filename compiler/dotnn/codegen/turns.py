"""Sections that take turns: what their training loops have in common, whatever the style.

On each batch every section takes its updates, in the order of the spec. What belongs to one section has its name: the
functions end with it (`update_critic`), and the record of an epoch begins with it (`critic.loss`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dotnn.codegen import optimizer, training, tree
from dotnn.codegen.epochs import GOES_ON, minutes
from dotnn.codegen.epochs import SPENT as SPENT
from dotnn.codegen.lines import indented, literal, on_the_page
from dotnn.codegen.sections import TABLE, Section, after_updates, kept_by_settings, observed
from dotnn.codegen.wrap import WIDTH
from dotnn.model.model import EarlyStop, Model, StopAfter, StopWhen
from dotnn.model.turns import predicting


def predicts(model: Model) -> str:
    """Return the name of the section whose pass predicts."""
    return predicting(model).name


def fitted(text: str) -> str:
    """Return a part of a script, whose names have become longer, in lines that fit on the page."""
    made: list[str] = []
    for line in text.strip("\n").split("\n"):
        room = len(line) - len(line.lstrip())
        made += indented(on_the_page(line.strip(), room), room) if len(line) > WIDTH else [line]
    return "\n".join(made)


# ------------------------------------------------------------------------------------------------------ the loop


@dataclass(frozen=True)
class Says:
    """How a style says what the loop needs.

    `copy` is a copy of some of the parameters that are `shown`, by the table of their names; `back` puts parameters
    back, and `average` those of an average, where a section has one.
    """

    copy: str
    back: str
    average: str = ""


def kept(sections: Sequence[Section]) -> dict[str, str]:
    """Return what a state begins with for the rules that stop: of each section that has some, why it has ended."""
    ended = ", ".join(f'{literal(s.name)}: ""' for s in sections if s.stops)
    best = ", ".join(f"{literal(s.name)}: {_no_best(s.early)}" for s in sections if s.early)
    watched = ", ".join(f"{literal(s.name)}: {{}}" for s in sections if s.watches)
    found = {"ended": f"{{{ended}}}", "best": f"{{{best}}}", "stopped_by": '"epochs"', "plateaus": f"{{{watched}}}"}
    needed = {"ended": bool(ended), "best": bool(best), "stopped_by": ends(sections), "plateaus": bool(watched)}
    return {name: text for name, text in found.items() if needed[name]} | kept_by_settings(sections)


def ends(sections: Sequence[Section]) -> bool:
    """Whether a rule may end the training before its last epoch."""
    return any(s.stops for s in sections) or _limit(sections) is not None


def _limit(sections: Sequence[Section]) -> StopAfter | None:
    return sections[0].limit


def clock(sections: Sequence[Section]) -> Iterator[tree.Stmt]:
    """Yield the statements before the loop that start the clock, anew in a training that is resumed."""
    limit = _limit(sections)
    if limit is not None:
        ran_out = f'state["stopped_by"] == {literal(minutes(limit.minutes))}'
        yield tree.If(ran_out, (tree.assign('state["stopped_by"]', '"epochs"'),))
        yield tree.assign("started", "time.monotonic()")


def _no_best(early: EarlyStop) -> str:
    worst = "-np.inf" if early.better == "max" else "np.inf"
    return f'{{"value": {worst}, "epoch": 0, "params": {{}}}}'


def counted(sections: Sequence[Section]) -> Iterator[tree.Stmt]:
    """Yield the statements before the loop that count updates."""
    if not any(s.counts_steps for s in sections):
        return
    batch = sections[0].turn.train.batch
    yield tree.assign("steps_per_epoch", "math.ceil(count / BATCH_SIZE)" if batch else "1")
    done = ", ".join(
        f"{literal(s.name)}: len(history) * steps_per_epoch{f' * {s.turn.steps}' * (s.turn.steps > 1)}"
        for s in sections
        if s.counts
    )
    if done:
        yield tree.assign("done", f"{{{done}}}")
    for s in sections:
        each = f" * {s.turn.steps}" if s.turn.steps > 1 else ""
        values = {"steps": f"epochs * steps_per_epoch{each}", "steps_per_epoch": f"steps_per_epoch{each}"}
        for name in optimizer.run_lengths(s.turn.train):
            yield tree.assign(f"memory[{literal(s.name)}][{literal(name)}]", values[name])


def turn_of(section: Section, body: Sequence[tree.Stmt]) -> list[tree.Stmt]:
    """Return the statements of a section's turn on a batch, as often as it takes one, until it has ended."""
    made: list[tree.Stmt] = list(body)
    if section.turn.steps > 1:
        made = [tree.For(f"for _ in range({section.turn.steps})", tuple(made))]
    if section.stops:
        return [tree.If(f'not state["ended"][{literal(section.name)}]', tuple(made))]
    return made


def added(section: Section, size: str = "len(chosen)") -> str:
    """Return what a loss adds to the sum of an epoch's."""
    steps = section.turn.steps
    if training.sums(section.model):
        return f"float(loss){f' / {steps}' * (steps > 1)}"
    return f"float(loss) * {size} / {f'({steps} * count)' if steps > 1 else 'count'}"


def sums(sections: Sequence[Section]) -> tree.Stmt:
    """Return the statement before the batches of an epoch: the losses of the sections that have not ended."""
    if any(s.stops for s in sections):
        return tree.assign("losses", f'{{name: 0.0 for name in {TABLE} if not state["ended"].get(name)}}')
    return tree.assign("losses", f"dict.fromkeys({TABLE}, 0.0)")


def record() -> list[tree.Stmt]:
    """Return the statements that append the record of an epoch: the loss of every section, and their sum."""
    return [
        tree.assign("named", '{f"{name}.loss": loss for name, loss in losses.items()}'),
        tree.Do('history.append({"epoch": epoch, "loss": sum(losses.values()), **named})'),
    ]


def noted(model: Model, sections: Sequence[Section], says: Says, *, of: str) -> Iterator[tree.Stmt]:
    """Yield what follows the turns of an epoch: its record, with the figures `of` what is trained, and the stops."""
    yield from record()
    yield tree.If('not math.isfinite(history[-1]["loss"])', (tree.Do("break"),))
    yield from after_updates(sections)
    if any(s.model.train.metrics for s in sections):
        yield tree.assign("history[-1]", f"evaluate({of}, examples, scaling) | history[-1]", "|=")
    if training.evaluated_parts(model)[1]:
        figures = f'evaluate({of}, parts["val"], scaling)'
        yield tree.assign("history[-1]", f'{{f"val_{{key}}": value for key, value in {figures}.items()}}', "|=")
    yield from observed(sections)
    yield from stop_rules(sections, says)


def stop_rules(sections: Sequence[Section], says: Says) -> Iterator[tree.Stmt]:
    """Yield the rules by which sections end; once all have ended, the training has."""
    for s in sections:
        if s.stops:
            yield tree.If(f'not state["ended"][{literal(s.name)}]', tuple(_rules(s, says)))
    if all(s.stops for s in sections):
        why = '"; ".join(f"{name}: {why}" for name, why in state["ended"].items())'
        yield tree.If('all(state["ended"].values())', (tree.assign('state["stopped_by"]', why),))
    limit = _limit(sections)
    if limit is not None:
        late = f"{GOES_ON} and time.monotonic() - started > {60 * limit.minutes!r}"
        yield tree.If(late, (tree.assign('state["stopped_by"]', literal(minutes(limit.minutes))),))


def _rules(section: Section, says: Says) -> Iterator[tree.Stmt]:
    name, early = literal(section.name), section.early
    for stop in section.turn.train.stops:
        if isinstance(stop, StopWhen):
            limit = f"{stop.op} {stop.threshold!r}"
            ends = tree.assign(f'state["ended"][{name}]', f'"{stop.quantity} {limit}"')
            yield tree.If(f'history[-1]["{section.figure(stop.quantity)}"] {limit}', (ends,))
    if early is None:
        return
    margin = f" {'-' if early.better == 'min' else '+'} {early.min_delta!r}" if early.min_delta else ""
    order = "<=" if early.better == "min" else ">="
    value = f'history[-1]["{section.figure(early.quantity)}"]'
    best = f'state["best"][{name}]'
    better = tree.assign(
        best, f'{{"value": {value}, "epoch": epoch, "params": {says.copy.format(table=section.table)}}}'
    )
    why = literal(f"no better {early.quantity} for {early.patience} epochs")
    waited = tree.If(f'epoch == {best}["epoch"] + {early.patience}', (tree.assign(f'state["ended"][{name}]', why),))
    rule = tree.If(f'{value} {order} {best}["value"]{margin}', (better,), (waited,))
    others = any(isinstance(stop, StopWhen) for stop in section.turn.train.stops)
    yield tree.If(f'not state["ended"][{name}]', (rule,)) if others else rule
    yield tree.If(f'state["ended"][{name}]', tuple(_put_back(section, says)))


def _put_back(section: Section, says: Says) -> Iterator[tree.Stmt]:
    best = f'state["best"][{literal(section.name)}]["params"]'
    yield tree.Do(says.back.format(best=best))
    if section.averages:
        yield tree.Do(says.average.format(best=best, name=section.name))


def at_the_end(sections: Sequence[Section], says: Says) -> Iterator[tree.Stmt]:
    """Yield the statements after the loop: the best parameters of a section, and how the training ended."""
    for s in sections:
        if s.early:
            yield tree.If(f'state["best"][{literal(s.name)}]["epoch"]', tuple(_put_back(s, says)))
    if ends(sections):
        yield tree.assign("history.stopped_by", 'state["stopped_by"]')
