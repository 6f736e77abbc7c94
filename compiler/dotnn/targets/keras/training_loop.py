"""What surrounds the optimizer in `fit`: the schedule, what stops, and the state to go on from.

Clipping is an option of the Keras optimizer, and a constraint one of the Keras layer.
"""

from __future__ import annotations

from dotnn.codegen import learning_rate, tree
from dotnn.codegen.epochs import HEAD, Loop
from dotnn.codegen.lines import indented, wrapped
from dotnn.codegen.loop_words import Words
from dotnn.codegen.parts import Part
from dotnn.codegen.printer import printed
from dotnn.codegen.regime import TRAIN_ARGUMENTS
from dotnn.codegen.sections import Section
from dotnn.model.model import Model, Train
from dotnn.targets.keras.settings import lines, shows_average

OVERFLOW = 'note_overflow(history, weights(network), {"memory": {v.path: v.numpy() for v in optimizer.variables}})'
VARIABLES = "{str(i): v for i, v in enumerate([*network.variables, *optimizer.variables])}"
SECONDS = "time.monotonic() - started"
OF_ALL_WORKERS = f"mean_over_workers(strategy, tf.constant({SECONDS}, tf.float64))"
"""Each worker has a clock of its own, but all must stop after the same epoch."""


def context(model: Model, distribute: str = "") -> dict[str, object]:
    """Return what the templates of the training loop show."""
    train = model.train
    arguments = [a if not a.startswith("dtype") else "dtype=None" for a in TRAIN_ARGUMENTS]
    formula = learning_rate.formula(train) is not None
    seconds = OF_ALL_WORKERS if distribute == "multiworker" else SECONDS
    figures = ("evaluate(network, examples, scaling)", 'evaluate(network, parts["val"], scaling)')
    best, variables = "weights(network)", VARIABLES
    averaged = shows_average(model)
    if averaged:
        figures = (f"average.within(lambda: {figures[0]})", f"average.within(lambda: {figures[1]})")
        best, variables = f"average.within(lambda: {best})", VARIABLES.replace("]", ", *average.variables]")
    parts = [_last_epochs(train)] if averaged else []
    section = Section(model, parts)
    words = Words(
        *figures,
        best=lambda names: best,
        first="weights(network)",
        seconds=seconds,
        memory=lambda names, entry: f"optimizer.{entry}",
    )
    loop = Loop(model, [section], words)
    made = printed(loop.state({"variables": variables, "history": "history"}), 4)
    taken = [*_restore(model), *printed(loop.taken_up(), 8)]
    now = {"params": "weights(network)"}
    now |= {"average": best} if averaged else {}
    now |= {"rng": "rng.bit_generator.state"} if train.batch else {"grads": "grads"}
    counted = ["done += steps_per_epoch"] if formula else []
    return {
        "learning_rate": learning_rate.written(train),
        "constraints": [],
        "shown": "average" if averaged else "params",
        "functions": lines(model),
        "resampled": train.setting("ensemble") is not None,
        "accumulate": train.setting("accumulate"),
        "averages": averaged and train.setting("average").entry.equations is not None,
        "batches": train.shuffle == "batches",
        "train_head": wrapped("def train(", arguments + ["strategy=None"] * bool(distribute), "):"),
        "start": indented([*made, "if resume is not None:", *indented(taken), *printed(loop.begin(), 4)], 4),
        "head": f"{HEAD}:",
        "over": indented(printed(loop.over(), 8), 8),
        "rates": formula and train.batch > 0,
        "rate": "" if formula and train.batch else section.rate,
        "after": indented([*counted, *printed(loop.after(now), 8)], 8),
        "end": indented(printed(loop.end(), 4), 4),
        "overflow": indented([OVERFLOW], 4),
        "checkpoint": train.checkpoint,
    }


def _last_epochs(train: Train) -> Part:
    """Return what a mean of the last epochs adds to the loop."""
    if train.setting("average").entry.equations is not None:
        return Part()
    return Part(kept={"recent": "{}"}, epoch=(tree.Do('average.renew(state["recent"], epoch)'),))


def _restore(model: Model) -> list[str]:
    """Return the lines that put the variables and the generator back."""
    lines = ['for i, variable in state["variables"].items():', '    variable.assign(resume["variables"][i])']
    return lines + ['rng.bit_generator.state = resume["rng"]'] * bool(model.train.batch)
