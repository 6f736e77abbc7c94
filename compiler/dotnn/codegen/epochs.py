"""The training loop around the updates of a target: what a state holds, and what follows an epoch, in which order.

All targets and styles keep one order: the updates, the figures, the learning rate that watches them, the rules that
stop, and at last `on_epoch` with the record and the state. What training goes on from is in that state, so that one
that is resumed does what one that was not would do next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dotnn.codegen import learning_rate, training, tree
from dotnn.codegen.lines import literal
from dotnn.codegen.parts import Part
from dotnn.model.model import EarlyStop, Model, StopWhen

HEAD = "for epoch in range(len(history) + 1, epochs + 1)"
RECORD = "history[-1]"
GOES_ON, SPENT = 'state["stopped_by"] == "epochs"', 'state["stopped_by"] != "epochs"'
"""While no rule has ended the training, and once one has."""


@dataclass(frozen=True)
class Words:
    """How a target says what the loop needs.

    `figures` and `val_figures` are the loss and the metrics of the training and the validation part; `best` are
    parameters that stay as they are, and `first` the best before the first epoch; `finite` tests a number, `seconds` is
    how long training has taken, `memory` how an entry `{name}` of the optimizer's is set.
    """

    figures: str = "evaluate(params, examples, scaling)"
    val_figures: str = 'evaluate(params, parts["val"], scaling)'
    best: str = "{name: w.copy() for name, w in params.items()}"
    first: str = "{name: w.copy() for name, w in params.items()}"
    finite: str = "math.isfinite"
    seconds: str = "time.monotonic() - started"
    memory: str = 'memory["{name}"]'


@dataclass(frozen=True)
class Loop:
    """The statements of a training loop that depend on the spec's regime; `words` are the target's."""

    model: Model
    words: Words = Words()
    parts: Sequence[Part] = ()

    @property
    def early(self) -> EarlyStop | None:
        """The early-stopping rule."""
        return training.early_stop(self.model)

    def kept(self) -> dict[str, str]:
        """Return what a state begins with besides parameters, the optimizer's memory and the history."""
        return self._kept() | {name: value for part in self.parts for name, value in part.held.items()}

    def _kept(self) -> dict[str, str]:
        """Return what of it is no dict of arrays that exist."""
        kept = {name: value for part in self.parts for name, value in {**part.together, **part.kept}.items()}
        if self.early:
            worst = "-np.inf" if self.early.better == "max" else "np.inf"
            kept |= {"best": worst, "best_params": self.words.first, "best_epoch": "0"}
            kept |= {"best_step": "0"} if self._validates_early else {}
        kept |= {"plateau": "{}"} if learning_rate.watcher(self.model.train) else {}
        return kept | ({"stopped_by": '"epochs"'} if self.model.train.stops else {})

    def state(self, more: Mapping[str, str]) -> list[tree.Stmt]:
        """Return the statement that makes the state, with `more` entries before what is kept."""
        entries = [f'"{name}": {value}' for name, value in {**more, **self.kept()}.items()]
        return [tree.assign("state", f"{{{', '.join(entries)}}}")]

    def taken_up(self) -> list[tree.Stmt]:
        """Return the statements that take over from `resume` all but the parameters, the memory and the generator."""
        names = [literal(name) for name in self._kept()]
        taken = [tree.assign("state", f"{{name: resume[name] for name in ({', '.join(names)})}}", "|=")]
        one_by_one = [tree.assign(f"state[{name}]", f"resume[{name}]") for name in names]
        extended = tree.Do('history.extend(resume["history"])')
        filled = [
            tree.For(f"for name, values in {array}.items()", (tree.assign("values[...]", f'resume["{name}"][name]'),))
            for part in self.parts
            for name, array in part.held.items()
        ]
        return [extended, *filled, *(taken if len(names) > 1 else one_by_one), *self.clock_anew()]

    def clock_anew(self) -> list[tree.Stmt]:
        """Return the statement that lets a training go on that ran out of time before it was resumed."""
        limit = training.time_limit(self.model.train)
        if limit is None:
            return []
        ran_out = f'state["stopped_by"] == {literal(minutes(limit.minutes))}'
        return [tree.If(ran_out, (tree.assign('state["stopped_by"]', '"epochs"'),))]

    def begin(self) -> list[tree.Stmt]:
        """Return the statements before the loop, once there are a state and a history."""
        train = self.model.train
        watched = learning_rate.watcher_made(train)
        taken = [tree.Do('vars(plateau).update(state["plateau"])')] if watched else []
        clock = [tree.assign("started", "time.monotonic()")] if training.time_limit(train) else []
        return [*watched, *taken, *learning_rate.counted_steps(train, self.words.memory), *clock]

    def gradient(self) -> list[tree.Stmt]:
        """Return the statements between the clipped gradient and the update."""
        return [statement for part in self.parts for statement in part.gradient]

    def updated(self) -> list[tree.Stmt]:
        """Return the statements after an update, and after its constraints."""
        counted = map(tree.Do, learning_rate.after_step(self.model.train))
        return [*counted, *(statement for part in self.parts for statement in part.updated), *self._validation()]

    @property
    def _validates_early(self) -> bool:
        """Whether early stopping goes by the validations between the ends of epochs."""
        early = self.early
        return early is not None and early.quantity.startswith("val_") and bool(self.model.train.setting("validate"))

    def _validation(self) -> list[tree.Stmt]:
        """Return the statement that validates after so many updates; none once a rule has ended the training."""
        steps = self.model.train.setting("validate")
        if steps is None:
            return []
        names = [tree.assign("validation", '{"epoch": epoch, "step": done}')]
        names.append(tree.assign("validation", _renamed(self.words.val_figures), "|="))
        kept = tree.Do('state["validations"].append(validation)')
        rules = [self._early_rule(self.early, "validation")] if self.early and self._validates_early else []
        due = f"done % {steps} == 0" + (f" and {GOES_ON}" if rules else "")
        return [tree.If(due, (*names, kept, *rules))]

    def over(self) -> list[tree.Stmt]:
        """Return the first statement of an epoch: none begins after a rule has ended the training."""
        return [tree.If(SPENT, (tree.Do("break"),))] if self.model.train.stops else []

    def after(self, now: Mapping[str, str], remark: tree.Note | None = None) -> list[tree.Stmt]:
        """Return the last statements of an epoch; `now` are entries of the state that are read anew for `on_epoch`.

        `remark` is a comment for the rules that stop.
        """
        stops = self._stop_rules()
        entries = [f'"{name}": {value}' for name, value in now.items()]
        state = f"state | {{{', '.join(entries)}}}" if entries else "state"
        watches = learning_rate.watcher(self.model.train)
        return [
            tree.If(f'not {self.words.finite}({RECORD}["loss"])', (tree.Do("break"),)),
            *(statement for part in self.parts for statement in part.epoch),
            *self._figures(),
            *learning_rate.after_epoch(self.model.train),
            *([tree.assign('state["plateau"]', "vars(plateau)")] if watches else []),
            *([remark] if stops and remark else []),
            *stops,
            tree.If("on_epoch is not None", (tree.Do(f"on_epoch({RECORD}, {state})"),)),
        ]

    def _figures(self) -> list[tree.Stmt]:
        on_train, has_val, _ = training.evaluated_parts(self.model)
        words, made = self.words, []
        if on_train:
            made.append(tree.assign(RECORD, f"{words.figures} | {RECORD}", "|="))
        if has_val:
            made.append(tree.assign(RECORD, _renamed(words.val_figures), "|="))
        return [*made]

    def _stop_rules(self) -> list[tree.Stmt]:
        """Return the rules; an epoch that another one ends does not count for early stopping."""
        others = [*self._thresholds(), *self._time_limit()]
        early = [self._early_rule(self.early)] if self.early and not self._validates_early else []
        return [*others, tree.If(GOES_ON, tuple(early))] if early and others else [*others, *early]

    def _thresholds(self) -> Iterator[tree.Stmt]:
        for stop in self.model.train.stops:
            if isinstance(stop, StopWhen):
                rule = f"{stop.op} {stop.threshold!r}"
                ends = tree.assign('state["stopped_by"]', f'"{stop.quantity} {rule}"')
                yield tree.If(f'{RECORD}["{stop.quantity}"] {rule}', (ends,))

    def _time_limit(self) -> Iterator[tree.Stmt]:
        limit = training.time_limit(self.model.train)
        if limit is not None:
            ends = tree.assign('state["stopped_by"]', literal(minutes(limit.minutes)))
            yield tree.If(f"{self.words.seconds} > {60 * limit.minutes!r}", (ends,))

    def _early_rule(self, early: EarlyStop, record: str = RECORD) -> tree.Stmt:
        margin = f" {'-' if early.better == 'min' else '+'} {early.min_delta!r}" if early.min_delta else ""
        order = "<=" if early.better == "min" else ">="
        quantity = f'{record}["{early.quantity}"]'
        entries = [f'"best": {quantity}', '"best_epoch": epoch', f'"best_params": {self.words.best}']
        steps = self.model.train.setting("validate") if record != RECORD else 0
        entries += ['"best_step": done'] if steps else []
        better = (tree.assign("state", f"{{{', '.join(entries)}}}", "|="),)
        times = "validations" if steps else "epochs"
        ends = tree.assign('state["stopped_by"]', f'"no better {early.quantity} for {early.patience} {times}"')
        long = f'done == state["best_step"] + {early.patience * steps}'
        waited = tree.If(long if steps else f'epoch == state["best_epoch"] + {early.patience}', (ends,))
        return tree.If(f'{quantity} {order} state["best"]{margin}', better, (waited,))

    def end(self) -> list[tree.Stmt]:
        """Return the statements after the loop that tell the history how it ended."""
        return [*self._told(), *self._validations()]

    def _validations(self) -> list[tree.Stmt]:
        kept = self.model.train.setting("validate") is not None
        return [tree.assign("history.validations", 'state["validations"]')] if kept else []

    def _told(self) -> list[tree.Stmt]:
        if self.early:
            how = 'state["stopped_by"], state["best_epoch"]'
            return [tree.Assign(("history.stopped_by", "history.best_epoch"), how)]
        return [tree.assign("history.stopped_by", 'state["stopped_by"]')] if self.model.train.stops else []


def _renamed(figures: str) -> str:
    """Return the expression of figures of the validation part, as a record has them."""
    return f'{{f"val_{{key}}": value for key, value in {figures}.items()}}'


def minutes(number: float) -> str:
    """Return how a training is said to have ended that ran out of time."""
    return f"{number:g} minute{'s' * (number != 1)}"
