"""Every step of a training on its own: does it do the same in all scripts when it starts from the same weights?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dotnn.commands.comparing.rounding import Perturbed, perturbed
from dotnn.reports.trajectory import LIKE_ROUNDING, TOLERANCE
from dotnn.running.distances import Distance, Distances, Step
from dotnn.running.peer import Peer
from dotnn.session import Compilation
from dotnn.targets.numpy.steps import Arrays, FastTraining, Training

MUCH_ROUNDING = 1e-6
"""Where rounding alone moves a tensor of a single step by more than this share of it, its numbers prove nothing."""


def alike_one_by_one(begun: Compilation, ours: Training, fast: FastTraining, peer: Peer, steps: int) -> bool:
    """Whether every step does the same in all scripts when it starts from the same weights.

    What rounding does within a step is measured beside it: a saturated unit multiplies it, too, but a step too few
    times to hide a difference that is not rounding.
    """
    copies = perturbed(begun, ours)
    step, scale = peer.make_step(), Distances(ours.zeros)
    for number, batch in enumerate(ours.batches(steps)):
        peer.module.assign(peer.network, ours.params)
        fast.start_from(ours.params)
        for copy in copies:
            copy.params = {name: w.copy() for name, w in ours.params.items()}
        peer.draw(ours.params, batch, ours.rng(number), ours.piece)
        loss, grads, rate = ours.gradients(number, batch)
        theirs, quick = step(batch, rate), fast.gradients(number, ours.rows)
        rounded = [_step_of(copy, number, batch) for copy in copies]
        ours.update(grads, rate)
        fast.update(rate)
        mine = loss, grads, ours.params
        found = [scale(mine, (*theirs, peer.module.weights(peer.network))), scale(mine, (*quick, fast.params))]
        limits = _limits([scale(mine, other) for other in rounded])
        if not all(_within(one, limits) for one in found):
            return False
    return True


def _step_of(copy: Perturbed, number: int, batch: Arrays) -> Step:
    """Take a step; return its loss, its gradients and the weights after it."""
    loss, grads, rate = copy.gradients(number, batch)
    copy.update(grads, rate)
    return loss, grads, copy.params


def _limits(rounded: Iterable[Sequence[Distance]]) -> list[float]:
    """Return how far each tensor may be off: what rounding did to it, within reason."""
    largest = [max(errors) for errors in zip(*([error for *_, error in one] for one in rounded), strict=True)]
    return [max(TOLERANCE, LIKE_ROUNDING * min(error, MUCH_ROUNDING)) for error in largest]


def _within(found: Sequence[Distance], limits: Sequence[float]) -> bool:
    return all(error <= limit for (*_, error), limit in zip(found, limits, strict=True))
