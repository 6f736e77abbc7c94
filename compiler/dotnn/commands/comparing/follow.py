"""The scripts of a spec train from the same start, on the same batches and draws: where do they differ first?

The explain style's is compared with TensorFlow's, and with that of the fast style, which `dotnn train` runs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.commands.comparing.one_by_one import alike_one_by_one
from dotnn.commands.comparing.rounding import explanation
from dotnn.model.model import Model
from dotnn.reports.trajectory import Difference, Trajectory
from dotnn.running.distances import Distances
from dotnn.running.peer import Peer
from dotnn.running.scripts import run_script
from dotnn.session import Compilation
from dotnn.targets import PROVEN
from dotnn.targets.numpy.steps import FastTraining, Training

HUGE = float(np.finfo(float).max) ** 0.25
"""Beyond such weights a training diverges: products overflow in the order of one style and not in that of the other."""


def compare(begun: Compilation, steps: int, seed: int = 0) -> Trajectory:
    """Take steps of training on both targets in float64, until they differ."""
    with begun.witness() as peer:
        return follow(begun, peer, steps, seed)


@np.errstate(all="ignore")  # a training may diverge
def follow(begun: Compilation, peer: Peer, steps: int, seed: int = 0) -> Trajectory:
    """Take steps of training beside a TensorFlow script that is there already."""
    model = begun.model
    path = model.source.path
    script, fast = (run_script(begun.script(style=style.name), "dotnn_numpy", path) for style in PROVEN.styles)
    found, ours = Trajectory(), Training(model, script, seed)
    for number, differences in enumerate(_steps(ours, FastTraining(fast, ours), peer, steps), 1):
        found.add(number, [Difference(number, *d) for d in differences])
        if found.first is not None:
            found.place = _place(model, found.first)
            found.rounding = 0.0 if found.diverges else explanation(begun, script, found.first, seed)
            break
    if found.verdict == "INCONCLUSIVE" and not found.diverges:
        ours = Training(model, script, seed)
        found.alike = alike_one_by_one(begun, ours, FastTraining(fast, ours), peer, steps)
    return found


Found = tuple[str, str, float, str, bool]
"""Kind, name and distance of a tensor, the other script, and whether that is another style of the same target."""


def _steps(ours: Training, fast: FastTraining, peer: Peer, steps: int) -> Iterator[list[Found]]:
    """Yield the distances of all tensors, step by step, those from the fast style with its name."""
    theirs = peer.module
    theirs.assign(peer.network, ours.params)
    step, distances, styles = peer.make_step(), Distances(ours.zeros), Distances(ours.zeros)
    for number, batch in enumerate(ours.batches(steps)):
        peer.draw(ours.params, batch, ours.rng(number), ours.piece)
        loss, grads, rate = ours.gradients(number, batch)
        their_loss, their_grads = step(batch, rate)
        fast_loss, fast_grads = fast.gradients(number, ours.rows)
        ours.update(grads, rate)
        fast.update(rate)
        mine = loss, grads, ours.params
        apart = distances(mine, (their_loss, their_grads, theirs.weights(peer.network)))
        found: list[Found] = [(*d, peer.title, False) for d in apart]
        if all((np.abs(w) < HUGE).all() for w in ours.params.values()):
            found += [
                (*d, f"{PROVEN.styles[-1].name} style", True)
                for d in styles(mine, (fast_loss, fast_grads, fast.params))
            ]
        yield found


def _place(model: Model, difference: Difference) -> str:
    """Return the line of the spec that a tensor belongs to."""
    span = model.params[difference.name].span if difference.name else model.train.losses[0].span
    return f"{model.source.at(span.start)[0].path}:{model.source.line_of(span)}"
