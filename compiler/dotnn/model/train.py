"""Reading the `train` section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from dotnn.core.arguments import BOOL, POSITIVE_INT, SEED, Arg, Bound, Kind, Symbol, choice, registered
from dotnn.library.constraints import Constraint
from dotnn.library.inits import Init
from dotnn.library.layers.base import CONSTRAINT, DECAY, INIT
from dotnn.library.optimizers import OPTIMIZERS, Optimizer
from dotnn.library.penalties import Penalty
from dotnn.model import messages
from dotnn.model.bind import bind, bind_entry, entry_default
from dotnn.model.constants import evaluate
from dotnn.model.loss_terms import loss_terms
from dotnn.model.messages.base import Fail
from dotnn.model.metric_terms import metric_terms
from dotnn.model.model import Checkpoint, Data, LossTerm, Train
from dotnn.model.network import NetworkReader
from dotnn.model.regime_numbers import check_numbers
from dotnn.model.section import SectionReader
from dotnn.model.settings import SETTINGS, read_settings
from dotnn.model.stops import Quantities, read_stops, watched
from dotnn.syntax import nodes


def _batch(value: object) -> int | None:
    if isinstance(value, Symbol):
        return {"all": 0, "online": 1}.get(value.id)
    return POSITIVE_INT.accept(value)


BATCH = Kind('a positive whole number, "all" or "online"', _batch, choices=("all", "online"))


def _shuffle(value: object) -> bool | str | None:
    return "batches" if value == Symbol("batches") else BOOL.accept(value)


SHUFFLE = Kind("true, false or batches", _shuffle, choices=(*BOOL.choices, "batches"))
CLIP = registered("clip", "a way to clip such as global_norm(1.0)")
TRAIN_KEYS = (
    Arg("epochs", POSITIVE_INT, 1, "passes over the training examples"),
    Arg("batch", BATCH, 32, "examples per update; `all`: one update an epoch, `online`: one example an update"),
    Arg(
        "shuffle",
        SHUFFLE,
        True,
        "draw a new order of the examples every epoch; `batches`: the examples are drawn into batches once, and every "
        "epoch takes these in a new order",
    ),
    Arg("seed", SEED, 0, "seed of every random draw: same seed, same result"),
    Arg("clip", CLIP, Symbol("none"), "what is done to the gradients before the optimizer sees them"),
)
DEFAULT_KEYS = (
    Arg("init", INIT, Symbol("xavier"), "initialiser of all weights that name none"),
    Arg("bias_init", INIT, Symbol("zeros"), "initialiser of all biases that name none"),
    Arg("decay", DECAY, Symbol("none"), "penalty on all weights (not biases) that name none"),
    Arg("constraint", CONSTRAINT, Symbol("none"), "what all weights (not biases) that name none are put back to"),
)
KEYS = (
    "loss",
    "optim",
    *(a.name for a in (*TRAIN_KEYS, *DEFAULT_KEYS)),
    "freeze",
    "stop",
    "checkpoint",
    "metrics",
)
TRAIN_KEY_NAMES = (*KEYS, *SETTINGS)

CHECKPOINT = (
    Arg("epochs", POSITIVE_INT, 1, "epochs from one checkpoint to the next; the last epoch has one, too"),
    Arg("keep", choice("last", "best"), "last", "`best`: the best weights so far are kept as well, in `best.npz`"),
)


MISPLACED = {
    "lr": "the learning rate is an argument of the optimizer: optim = sgd(lr = 0.1)",
    "schedule": "a schedule takes the place of the learning rate: optim = adam(cosine(0.001, warmup = 200))",
    "warmup": "the warm-up is part of a schedule: optim = adam(cosine(0.001, warmup = 200))",
    "clipnorm": "write clip = norm(1.0), or global_norm(1.0)",
    "learning_rate": "the learning rate is an argument of the optimizer: optim = sgd(lr = 0.1)",
    "momentum": "momentum is an argument of the optimizer: optim = sgd(0.1, momentum = 0.9)",
    "patience": "patience is an argument of a stop rule: stop = early(val_loss, patience = 10)",
    "trainable": "it is an argument of a layer: dense(8, trainable = false); or name layers: freeze = [encode]",
    "source": "it belongs in `data`",
    "scale": "it belongs in `data`",
    "split": "it belongs in `data`",
    "one_hot": "it belongs in `data`",
    "samples": "it belongs in `check`",
    "updates": "sections that take turns have names: train critic { … }  train generator { … }",
    "steps": "sections that take turns have names: train critic { … }  train generator { … }",
    "against": "it belongs in `check`",
}
"""SectionReader that beginners look for in `train`, and where they belong."""


def read_train(
    section: SectionReader,
    network: NetworkReader,
    data: Data | None,
    weights: str = "",
    *,
    data_failed: bool,
    decay: Bound[Penalty] | None,
) -> Train:
    """Return how the network is trained; errors go to the reporter of `section`.

    `weights` is the target that says how much each example counts.
    """
    plain = {arg.name: section.take(arg) for arg in TRAIN_KEYS}
    plain["clip"] = plain["clip"] if isinstance(plain["clip"], Bound) else None
    losses = _losses(section, network)
    metrics = sum(section.each("metrics", lambda e: metric_terms(e, losses, section, network, weights)), ())
    has_validation = data_failed or _has_validation(data)
    quantities = Quantities(metrics, has_validation, section.failed & {"loss", "metrics"})
    optimizer = section.read("optim", lambda e: _optimizer(e, quantities, section), entry_default(OPTIMIZERS["sgd"]))
    stops = read_stops(section, quantities)
    checkpoint = section.read("checkpoint", lambda e: _checkpoint(e, quantities, section), None)
    decoupled = decay.attrs["strength"] if decay is not None and not decay.entry.op else 0.0
    return Train(
        losses,
        optimizer,
        decoupled,
        stops=stops,
        metrics=metrics,
        checkpoint=checkpoint,
        settings=read_settings(section, quantities),
        **plain,
    )


def _losses(section: SectionReader, network: NetworkReader) -> tuple[LossTerm, ...]:
    if "loss" in section.failed:
        return ()
    losses: tuple[LossTerm, ...] = section.read("loss", lambda e: loss_terms(e, section, network), ())
    if "loss" not in section.values and section.section is not None:
        section.reporter.add(messages.sections.missing_key(section.head, "train", "loss", "loss = mse(y, t)"))
        section.failed.add("loss")
    return losses


def _has_validation(data: Data | None) -> bool:
    return data is not None and data.has_part("val")


def _optimizer(expr: nodes.Expr, quantities: Quantities, section: SectionReader) -> Bound[Optimizer]:
    """Return the optimizer; the quantity that its schedule watches, if any, is a reported one."""
    bound = bind_entry("optimizer", evaluate(expr, section.constants), expr.span, section.constants)
    optimizer = cast(Bound[Optimizer], bound)
    check_numbers(optimizer, expr.span)
    schedule = optimizer.attrs["lr"]
    if isinstance(schedule, Bound) and schedule.entry.watches:
        assert isinstance(expr, nodes.Call)
        call = next(a.value for a in expr.args if isinstance(a.value, nodes.Call))
        schedule.attrs["quantity"] = watched(call.args, 1, schedule.attrs["quantity"], quantities)
    return optimizer


def _checkpoint(expr: nodes.Expr, quantities: Quantities, section: SectionReader) -> Checkpoint:
    if not isinstance(expr, nodes.Call) or expr.func.id != "every":
        raise Fail(messages.training.checkpoint_form(expr.span))
    attrs = bind("every", CHECKPOINT, expr.args, expr.span, section.constants)
    best_by = quantities.default if attrs["keep"] == "best" else ""
    return Checkpoint(attrs["epochs"], best_by)


@dataclass(frozen=True)
class Defaults:
    """What the train section sets for the whole model: `DEFAULT_KEYS`; None is none."""

    init: Bound[Init]
    bias_init: Bound[Init]
    decay: Bound[Penalty] | None
    constraint: Bound[Constraint] | None


def read_defaults(section: SectionReader) -> Defaults:
    """Return what the section sets for all parameters that set nothing else."""
    found = {arg.name: section.take(arg) for arg in DEFAULT_KEYS}
    decay, constraint = (v if isinstance(v := found[name], Bound) else None for name in ("decay", "constraint"))
    return Defaults(found["init"], found["bias_init"], decay, constraint)
