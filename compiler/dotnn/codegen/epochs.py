"""The training loop around the updates of a target: what a state holds, and what follows an epoch, in which order.

All targets and styles keep one order: the updates, the figures, the learning rate that watches them, the rules that
stop, and at last `on_epoch` with the record and the state. What training goes on from is in that state, so that one
that is resumed does what one that was not would do next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dotnn.codegen import learning_rate, training
from dotnn.codegen.lines import indented, literal, wrapped
from dotnn.model.model import EarlyStop, Model, StopWhen

HEAD = "for epoch in range(len(history) + 1, epochs + 1):"
RECORD = "history[-1]"
SPENT = 'state["stopped_by"] != "epochs"'


@dataclass(frozen=True)
class Words:
    """How a target says what the loop needs.

    `subject` is what `evaluate` takes beside examples and `scaling`; `best` are parameters that stay as they are, and
    `first` the best before the first epoch; `finite` tests a number, `seconds` is how long training has taken.
    """

    subject: str = "params"
    scaling: str = ", scaling"
    best: str = "{name: w.copy() for name, w in params.items()}"
    first: str = "{name: w.copy() for name, w in params.items()}"
    finite: str = "math.isfinite"
    seconds: str = "time.monotonic() - started"


@dataclass(frozen=True)
class Loop:
    """The lines of a training loop that depend on the spec's regime; `words` are the target's."""

    model: Model
    words: Words = Words()

    @property
    def early(self) -> EarlyStop | None:
        """The early-stopping rule."""
        return training.early_stop(self.model)

    def kept(self) -> dict[str, str]:
        """Return what a state begins with besides parameters, the optimizer's memory and the history."""
        kept: dict[str, str] = {}
        if self.early:
            worst = "-np.inf" if self.early.better == "max" else "np.inf"
            kept |= {"best": worst, "best_params": self.words.first, "best_epoch": "0", "waited": "0"}
        kept |= {"plateau": "{}"} if learning_rate.watcher(self.model.train) else {}
        return kept | ({"stopped_by": '"epochs"'} if self.model.train.stops else {})

    def state(self, more: Mapping[str, str]) -> list[str]:
        """Return the lines that make the state, with `more` entries before what is kept."""
        entries = [f'"{name}": {value}' for name, value in {**more, **self.kept()}.items()]
        return wrapped("state = {", entries, "}")

    def taken_up(self) -> list[str]:
        """Return the lines that take over from `resume` all but the parameters, the memory and the generator."""
        names = [literal(name) for name in self.kept()]
        lines = wrapped("state |= {name: resume[name] for name in (", names, ")}") if len(names) > 1 else []
        lines = lines or [f"state[{name}] = resume[{name}]" for name in names]
        return ['history.extend(resume["history"])', *lines, *self.clock_anew()]

    def clock_anew(self) -> list[str]:
        """Return the lines that let a training go on that ran out of time before it was resumed."""
        limit = training.time_limit(self.model.train)
        if limit is None:
            return []
        return [f'if state["stopped_by"] == {literal(minutes(limit.minutes))}:', '    state["stopped_by"] = "epochs"']

    def begin(self) -> list[str]:
        """Return the lines before the loop, once there are a state and a history."""
        train = self.model.train
        lines = [*learning_rate.watcher_lines(train), *learning_rate.formula_lines(train)]
        if learning_rate.watcher(train):
            lines.insert(1, 'vars(plateau).update(state["plateau"])')
        return [*lines, *(["started = time.monotonic()"] if training.time_limit(train) else [])]

    def over(self) -> list[str]:
        """Return the first lines of an epoch: none begins after a rule has ended the training."""
        return [f"if {SPENT}:", "    break"] if self.model.train.stops else []

    def after(self, now: Mapping[str, str], remark: str = "") -> list[str]:
        """Return the last lines of an epoch; `now` are entries of the state that are read anew for `on_epoch`.

        `remark` is a comment for the rules that stop.
        """
        stops = [*self._stop_rules()]
        entries = [f'"{name}": {value}' for name, value in now.items()]
        state = f"state | {{{', '.join(entries)}}}" if entries else "state"
        return [
            f'if not {self.words.finite}({RECORD}["loss"]):',
            "    break",
            *self._figures(),
            *learning_rate.after_epoch(self.model.train),
            *(['state["plateau"] = vars(plateau)'] if learning_rate.watcher(self.model.train) else []),
            *([remark] if stops and remark else []),
            *stops,
            "if on_epoch is not None:",
            *indented([f"on_epoch({RECORD}, {state})"]),
        ]

    def _figures(self) -> list[str]:
        on_train, has_val, _ = training.evaluated_parts(self.model)
        words, lines = self.words, []
        if on_train:
            lines.append(f"{RECORD} |= evaluate({words.subject}, examples{words.scaling}) | {RECORD}")
        if has_val:
            figures = f'evaluate({words.subject}, parts["val"]{words.scaling})'
            lines.append(f'{RECORD} |= {{f"val_{{key}}": value for key, value in {figures}.items()}}')
        return lines

    def _stop_rules(self) -> Iterator[str]:
        """Yield the rules; an epoch that another one ends does not count for early stopping."""
        others = [*self._thresholds(), *self._time_limit()]
        yield from others
        if self.early and others:
            yield 'if state["stopped_by"] == "epochs":'
            yield from indented(self._early_rule(self.early))
        elif self.early:
            yield from self._early_rule(self.early)

    def _thresholds(self) -> Iterator[str]:
        for stop in self.model.train.stops:
            if isinstance(stop, StopWhen):
                rule = f"{stop.op} {stop.threshold!r}"
                yield f'if {RECORD}["{stop.quantity}"] {rule}:'
                yield f'    state["stopped_by"] = "{stop.quantity} {rule}"'

    def _time_limit(self) -> Iterator[str]:
        limit = training.time_limit(self.model.train)
        if limit is not None:
            yield f"if {self.words.seconds} > {60 * limit.minutes!r}:"
            yield f'    state["stopped_by"] = {literal(minutes(limit.minutes))}'

    def _early_rule(self, early: EarlyStop) -> list[str]:
        margin = f" {'-' if early.better == 'min' else '+'} {early.min_delta!r}" if early.min_delta else ""
        order = "<=" if early.better == "min" else ">="
        quantity = f'{RECORD}["{early.quantity}"]'
        return [
            'state["waited"] += 1',
            f'if {quantity} {order} state["best"]{margin}:',
            f'    state |= {{"best": {quantity}, "best_epoch": epoch, "waited": 0}}',
            f'    state["best_params"] = {self.words.best}',
            f'elif state["waited"] == {early.patience}:',
            f'    state["stopped_by"] = "no better {early.quantity} for {early.patience} epochs"',
        ]

    def end(self) -> list[str]:
        """Return the lines after the loop that tell the history how it ended."""
        if self.early:
            return ['history.stopped_by, history.best_epoch = state["stopped_by"], state["best_epoch"]']
        return ['history.stopped_by = state["stopped_by"]'] if self.model.train.stops else []


def minutes(number: float) -> str:
    """Return how a training is said to have ended that ran out of time."""
    return f"{number:g} minute{'s' * (number != 1)}"
