"""What the scripts of all targets have in common around their training loop."""

from __future__ import annotations

from dotnn.codegen import training
from dotnn.model.model import Model, Train

TRAIN_ARGUMENTS = [
    "data=None", "*", "epochs=EPOCHS", "seed=SEED", "dtype=np.float32", "params=None", "resume=None", "on_epoch=None",
]  # fmt: skip


def modules(train: Train) -> set[str]:
    """Return the standard modules that the script itself uses."""
    always = {"argparse", "math", "os", "pathlib", "sys"}
    return always | ({"time"} if training.time_limit(train) else set())


def constraint_lines(model: Model) -> list[str]:
    """Return the body of `constrain`: one line for every parameter that is constrained."""
    lines = []
    for name, p in model.params.items():
        if p.constraint is not None:
            weight = f'params["{name}"]'
            lines.append(f"{weight}[...] = {p.constraint.entry.written(weight, p.constraint.attrs)}")
    return lines
