"""What the scripts of all targets have in common around their training loop."""

from __future__ import annotations

from dotnn.codegen import training
from dotnn.codegen.spec_places import SpecPlaces
from dotnn.model.definitions.penalty import DefinedConstraint
from dotnn.model.model import Model, Train

TRAIN_ARGUMENTS = [
    "data=None",
    "*",
    "epochs=EPOCHS",
    "seed=SEED",
    "dtype=np.float32",
    "params=None",
    "resume=None",
    "on_epoch=None",
]
IN_PLACE_ARGUMENTS = [*TRAIN_ARGUMENTS, "copy=True"]
"""Those of a script that can prepare large data in the memory that they are in."""


def modules(train: Train) -> set[str]:
    """Return the standard modules that the script itself uses."""
    always = {"argparse", "math", "os", "pathlib", "sys"}
    return always | ({"time"} if training.time_limit(train) else set())


def constraints(model: Model) -> list[tuple[str, str]]:
    """Return the assignments of `constrain`: one for every parameter that is constrained."""
    found = []
    for name, p in model.params.items():
        if p.constraint is not None:
            weight = f'params["{name}"]'
            found.append((f"{weight}[...]", str(p.constraint.entry.written(weight, p.constraint.attrs, p.shape))))
    return found


def constraint_places(model: Model) -> dict[str, tuple[str, str]]:
    """Return what the spec says, and where, of the assignments of `constrain` by constraints that it defines."""
    spec = SpecPlaces(model.source)
    spans = {
        f'params["{name}"][...]': p.constraint.entry.formula.section.span
        for name, p in model.params.items()
        if p.constraint is not None and isinstance(p.constraint.entry, DefinedConstraint)
    }
    return {target: (spec.text(span), spec.place(span)) for target, span in spans.items()}
