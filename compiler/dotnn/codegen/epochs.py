"""The training loop around the updates of a target: what a state holds, and what follows an epoch, in which order.

All targets and styles keep one order, for one training and for sections that take turns: the updates, the figures, the
learning rates that watch them, the rules that stop, and at last `on_epoch` with the record and the state. What training
goes on from is in that state, so that one that is resumed does what one that was not would do next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dotnn.codegen import learning_rate, optimizer, stopping, training, tree
from dotnn.codegen.lines import literal, table
from dotnn.codegen.loop_words import RECORD, Words
from dotnn.codegen.sections import Section
from dotnn.model.model import Model

HEAD = "for epoch in range(len(history) + 1, epochs + 1)"


@dataclass(frozen=True)
class Loop:
    """The statements of a training loop that depend on the spec's regime; `words` are the target's.

    `sections` are those that take turns, or the only training.
    """

    model: Model
    sections: Sequence[Section]
    words: Words

    # ------------------------------------------------------------------------------------------------- the state

    def kept(self) -> dict[str, str]:
        """Return what a state begins with besides parameters, the optimizer's memory and the history."""
        held = {n: arrays[0] if len(arrays) == 1 else _joined(arrays) for n, arrays in self._held().items()}
        return self._kept() | held

    def _held(self) -> dict[str, list[str]]:
        """Return the entries that are dicts of arrays which exist, each with one or those of several sections."""
        found: dict[str, list[str]] = {}
        for s in self.sections:
            for name, text in (entry for part in s.added for entry in part.held.items()):
                found.setdefault(name, []).append(text)
        return found

    def _kept(self) -> dict[str, str]:
        """Return what of it is no dict of arrays that exist."""
        kept = self._kept_by_settings() | stopping.kept(self.sections, self.words)
        watched = {s.name: "{}" for s in self.sections if s.watches}
        if watched:
            kept |= {"plateaus": table(watched)} if self.sections[0].name else {"plateau": "{}"}
        return kept | ({"stopped_by": '"epochs"'} if stopping.stops(self.sections) else {})

    def _kept_by_settings(self) -> dict[str, str]:
        """Return what settings keep: of each section that has them, or what all have together."""
        together, own = dict[str, str](), dict[str, dict[str, str]]()
        for s in self.sections:
            for part in s.added:
                together |= part.together
                for name, text in part.kept.items():
                    own.setdefault(name, {})[s.name] = text
        return together | {name: table(each) if "" not in each else each[""] for name, each in own.items()}

    def state(self, more: Mapping[str, str]) -> list[tree.Stmt]:
        """Return the statement that makes the state, with `more` entries before what is kept."""
        return [tree.assign("state", table({**more, **self.kept()}))]

    def taken_up(self) -> list[tree.Stmt]:
        """Return the statements that take over from `resume` all but the parameters, the memory and the generator."""
        names = [literal(name) for name in self._kept()]
        taken = [tree.assign("state", f"{{name: resume[name] for name in ({', '.join(names)})}}", "|=")]
        one_by_one = [tree.assign(f"state[{name}]", f"resume[{name}]") for name in names]
        extended = tree.Do('history.extend(resume["history"])')
        filled = [
            tree.For(
                f"for name, values in {arrays[0] if len(arrays) == 1 else f'state[{literal(name)}]'}.items()",
                (tree.assign("values[...]", f'resume["{name}"][name]'),),
            )
            for name, arrays in self._held().items()
        ]
        return [extended, *filled, *(taken if len(names) > 1 else one_by_one), *self.clock_anew()]

    def clock_anew(self) -> list[tree.Stmt]:
        """Return the statement that lets a training go on that ran out of time before it was resumed."""
        limit = training.time_limit(self.model.train)
        if limit is None:
            return []
        ran_out = f'state["stopped_by"] == {literal(stopping.reason(limit, self.sections[0].train))}'
        return [tree.If(ran_out, (tree.assign('state["stopped_by"]', '"epochs"'),))]

    # ------------------------------------------------------------------------------------------ before the epochs

    def begin(self) -> list[tree.Stmt]:
        """Return the statements before the loop, once there are a state and a history."""
        clock = [tree.assign("started", "time.monotonic()")] if training.time_limit(self.model.train) else []
        return [*self._watchers(), *self._counted(), *clock]

    def _watchers(self) -> Iterator[tree.Stmt]:
        """Yield what makes what watches a quantity, and takes up what it has seen."""
        bound = {s.name: (s.train, learning_rate.watcher(s.train)) for s in self.sections}
        watching = {name: learning_rate.watching(train, found) for name, (train, found) in bound.items() if found}
        if "" in watching:
            yield tree.assign("plateau", watching[""])
            yield tree.Do('vars(plateau).update(state["plateau"])')
        elif watching:
            yield tree.assign("plateaus", table(watching))
            taken = tree.Do('vars(plateau).update(state["plateaus"][name])')
            yield tree.For("for name, plateau in plateaus.items()", (taken,))

    def _counted(self) -> Iterator[tree.Stmt]:
        """Yield what counts the updates, and tells the optimizers how long a run is."""
        train = self.model.train
        if not any(learning_rate.counts_steps(s.train) for s in self.sections):
            return
        steps = f"math.ceil(count / {learning_rate.update_size(train)})" if train.batch else "1"
        yield tree.assign("steps_per_epoch", steps)
        begun = "len(history) * steps_per_epoch"
        done = {s.name: s.of_turns(begun) for s in self.sections if s.counts}
        if "" not in done:
            yield from [tree.assign("done", table(done))] if done else []
        elif learning_rate.formula(train) is None:
            yield tree.assign("done", begun)
        else:
            yield tree.Assign(("done", "steps"), f"{begun}, epochs * steps_per_epoch")
        for s in self.sections:
            values = {n: s.of_turns(text) for n, text in RUN_LENGTHS.items()}
            for name in optimizer.run_lengths(s.train):
                yield tree.assign(self.words.memory(s.names, name), values[name])

    # -------------------------------------------------------------------------------------------------- an update

    def gradient(self, section: Section) -> list[tree.Stmt]:
        """Return the statements between the clipped gradient and the update."""
        return [statement for part in section.added for statement in part.gradient]

    def updated(self, section: Section) -> list[tree.Stmt]:
        """Return the statements after an update, and after its constraints."""
        counted = [tree.assign(section.names.entry("done"), "1", "+=")] if section.counts else []
        settings = (statement for part in section.added for statement in part.updated)
        return [*counted, *settings, *self._validation(section)]

    def _validation(self, section: Section) -> Iterator[tree.Stmt]:
        """Yield the statement that validates after so many updates; none once a rule has ended the training."""
        steps = section.train.setting("validate")
        if steps is not None:
            kept = tree.Do('state["validations"].append(validation)')
            rules = [stopping.early_rule(section, self.words, "validation")] if section.validates_early else []
            due = f"done % {steps} == 0" + (f" and {section.goes_on}" if rules else "")
            made = tree.assign("validation", '{"epoch": epoch, "step": done}')
            figures = tree.assign("validation", _renamed(self.words.val_figures), "|=")
            yield tree.If(due, (made, figures, kept, *rules))

    # ------------------------------------------------------------------------------------------- after the updates

    def over(self) -> list[tree.Stmt]:
        """Return the first statement of an epoch: none begins after rules have ended the training."""
        return stopping.over(self.sections)

    def after(self, now: Mapping[str, str]) -> list[tree.Stmt]:
        """Return the last statements of an epoch; `now` are entries of the state that are read anew for `on_epoch`."""
        state = f"state | {table(now)}" if now else "state"
        return [
            tree.If(f'not {self.words.finite}({RECORD}["loss"])', (tree.Do("break"),)),
            *self._for_each([(s, tuple(line for part in s.added for line in part.epoch)) for s in self.sections]),
            *self.words.shows,
            *self._figures(),
            *self._for_each([(s, tuple(_observed(s))) for s in self.sections if s.watches]),
            *stopping.rules(self.sections, self.words),
            tree.If("on_epoch is not None", (tree.Do(f"on_epoch({RECORD}, {state})"),)),
        ]

    def _for_each(self, bodies: Sequence[tuple[Section, tuple[tree.Stmt, ...]]]) -> Iterator[tree.Stmt]:
        """Yield what is done for the sections that have not ended; the only training has not."""
        for section, body in bodies:
            yield from [tree.If(section.goes_on, body)] if body and section.name and section.stops else body

    def _figures(self) -> Iterator[tree.Stmt]:
        words = self.words
        if any(s.train.metrics for s in self.sections):
            yield tree.assign(RECORD, f"{words.figures} | {RECORD}", "|=")
        if training.evaluated_parts(self.model)[1]:
            yield tree.assign(RECORD, _renamed(words.val_figures), "|=")

    def end(self) -> list[tree.Stmt]:
        """Return the statements after the loop that tell the history how it ended."""
        kept = self.model.train.setting("validate") is not None
        validations = [tree.assign("history.validations", 'state["validations"]')] if kept else []
        return [*stopping.at_the_end(self.sections, self.words), *validations]


RUN_LENGTHS = {"steps": "epochs * steps_per_epoch", "steps_per_epoch": "steps_per_epoch"}
"""What an optimizer may want to know of how long a run is."""


def _observed(section: Section) -> Iterator[tree.Stmt]:
    """Yield what shows the figures of an epoch to what watches them, and keeps what that has seen."""
    watched = learning_rate.watcher(section.train)
    assert watched is not None
    yield tree.Do(f'{section.plateau}.observe({RECORD}["{section.names.figure(watched.attrs["quantity"])}"])')
    yield tree.assign(section.names.kept("plateaus" if section.name else "plateau"), f"vars({section.plateau})")


def _joined(tables: Sequence[str]) -> str:
    return f"{{{', '.join(f'**{table}' for table in tables)}}}"


def _renamed(figures: str) -> str:
    """Return the expression of figures of the validation part, as a record has them."""
    return f'{{f"val_{{key}}": value for key, value in {figures}.items()}}'
