"""What the training loops of all targets have in common: their arguments, and what a checkpoint holds."""

from __future__ import annotations

from dotnn.codegen import learning_rate, training
from dotnn.model.model import Model, Train

TRAIN_ARGUMENTS = [
    "data=None", "*", "epochs=EPOCHS", "seed=SEED", "dtype=np.float32", "params=None", "on_epoch=None",
]  # fmt: skip
SAVING = ["checkpoint=None", "resume=None"]
RESTORE = ["check_digest(resume, digest)", "resume = copy.deepcopy(resume)"]
"""How a state is begun to be put back."""


def digest_lines(more: str = "") -> list[str]:
    """Return the lines of `fit` that make out what a checkpoint must come from; `more` are entries of a dict."""
    return [
        f'made_of = {{**parts, "spec": TRAINING, "seed": seed{more}}}',
        "digest = digest_of(made_of) if checkpoint or resume else None",
    ]


def modules(train: Train) -> set[str]:
    """Return the standard modules that the script itself uses."""
    always = {"argparse", "math", "pathlib", "sys"}
    saving = {"copy"} if train.checkpoint else set()
    return always | saving | ({"time"} if training.time_limit(train) else set())


def kept(model: Model) -> dict[str, str]:
    """Return the variables of `fit` that a checkpoint holds as they are, by their names in it."""
    early = {name: name for name in ("best", "best_params", "waited")} if training.early_stop(model) else {}
    return {**early, **({"plateau": "vars(plateau)"} if learning_rate.watcher(model.train) else {})}


def due(train: Train) -> str:
    """Return the condition under which a checkpoint is due, "" where it always is."""
    every = train.checkpoint.every if train.checkpoint else 1
    return "" if every == 1 else f" and (epoch % {every} == 0 or epoch == epochs)"
