"""What surrounds the optimizer in `fit`: the schedule, what stops, and checkpoints to go on from.

Clipping is an option of the Keras optimizer, and a constraint one of the Keras layer.
"""

from __future__ import annotations

from typing import Any

from dotnn.codegen import learning_rate, training
from dotnn.codegen.lines import indented, wrapped
from dotnn.codegen.regime import RESTORE, SAVING, TRAIN_ARGUMENTS, digest_lines, due, kept
from dotnn.model.model import Model

PRECISION = ', "precision": keras.config.dtype_policy().name'
OVERFLOW = 'note_overflow(history, weights(network), {"memory": {v.path: v.numpy() for v in optimizer.variables}})'
ALL_VARIABLES = "[*network.variables, *optimizer.variables]"


def context(model: Model, *, distributed: bool = False) -> dict[str, Any]:
    """Return what the templates of the training loop show."""
    train = model.train
    saving = SAVING if train.checkpoint else []
    strategy = ["strategy=None"] if distributed else []
    arguments = [a for a in TRAIN_ARGUMENTS if not a.startswith("dtype")]
    formula = learning_rate.formula(train) is not None
    counted = ["done += steps_per_epoch"] if formula else []
    started = ["started = time.monotonic()"] if training.time_limit(train) else []
    restored = [*digest_lines(PRECISION), *_restore(model)] if train.checkpoint else []
    before = [*learning_rate.watcher_lines(train), *restored, *learning_rate.formula_lines(train), *started]
    return {
        "learning_rate": learning_rate.context(train),
        "constraints": [],
        "arguments": "".join(f", {name}" for name in saving),
        "train_head": wrapped("def train(", arguments + saving + strategy, "):"),
        "passed": ", checkpoint=checkpoint, resume=resume" if saving else "",
        "start": indented(before, 4),
        "first_epoch": "len(history) + 1" if saving else "1",
        "rates": formula and train.batch > 0,
        "rate": "" if formula and train.batch else learning_rate.current(train),
        "after_epoch": indented([*counted, *learning_rate.after_epoch(train)], 8),
        "save": indented(_save(model), 8) if train.checkpoint else [],
        "overflow": indented([OVERFLOW], 4),
        "checkpoint": train.checkpoint,
    }


def _save(model: Model) -> list[str]:
    """Return the lines that hand the state of the training over, after an epoch."""
    state = {"params": "weights(network)", "rng": "rng.bit_generator.state", "history": "list(history)"}
    state["data"] = "digest"
    state["variables"] = f"{{str(i): np.asarray(v.numpy()) for i, v in enumerate({ALL_VARIABLES})}}"
    state |= {"best_epoch": "history.best_epoch"} if training.early_stop(model) else {}
    state |= {"grads": "{name: g.numpy() for name, g in grads.items()}"} if not model.train.batch else {}
    entries = [f'"{name}": {value}' for name, value in {**state, **kept(model)}.items()]
    return [
        f"if checkpoint is not None{due(model.train)}:",
        *indented(wrapped("checkpoint(copy.deepcopy({", entries, "}))"), 4),
    ]


def _restore(model: Model) -> list[str]:
    """Return the lines that put a state back, before the loop."""
    lines = [
        *RESTORE,
        f"for i, variable in enumerate({ALL_VARIABLES}):",
        '    variable.assign(resume["variables"][str(i)])',
        'rng.bit_generator.state = resume["rng"]',
        'history.extend(resume["history"])',
    ]
    lines += ['history.best_epoch = resume["best_epoch"]'] if training.early_stop(model) else []
    parts = kept(model)
    lines += [f'{name} = resume["{name}"]' for name in parts if name != "plateau"]
    lines += ['vars(plateau).update(resume["plateau"])'] * ("plateau" in parts)
    return ["if resume is not None:", *indented(lines, 4)]
