"""The functions of a script that has an ensemble: all members trained, and what they say together."""

from __future__ import annotations

from dotnn.model.model import Model
from dotnn.model.settings.ensemble import Bag, ballots

TRAIN = '''
def train_ensemble(data=None, *, epochs=EPOCHS, seed=SEED):
    """Train {bag}, each network on a bag of its own; return params and history of each."""
    return [train(data, epochs=epochs, seed=seed + member) for member in range({members})]
'''
PREDICT = '''
def predict_ensemble(members, inputs):
    """Return what the networks that `train_ensemble` returns say together: {said}."""
    found = [predict(params, inputs, history.scaling or None) for params, history in members]
    return {{name: {combined} for name in OUTPUTS}}
'''
COMBINED = {
    "mean": ("the mean of their outputs", "np.mean([outputs[name] for outputs in found], axis=0)"),
    "median": ("the median of their outputs", "np.median([outputs[name] for outputs in found], axis=0)"),
    "vote": ("the shares of their votes", "np.mean([vote(name, outputs[name]) for outputs in found], axis=0)"),
}
VOTE = '''
def vote(name, y):
    """Return the vote of one network: {said}."""
{body}
'''
VOTES = {
    "class": ("1 for the likeliest class, 0 for the others", "np.eye(y.shape[-1])[y.argmax(axis=-1)]"),
    "unit": ("1 where an output is above 1/2, else 0", "(y > 0.5) * 1.0"),
    "sign": ("1 where an output is above 0, else -1", "np.where(y > 0, 1.0, -1.0)"),
}


def functions(model: Model, bag: Bag) -> list[str]:
    """Return the texts of the functions."""
    said, combined = COMBINED[bag.combine]
    texts = [TRAIN.format(bag=bag, members=bag.members), PREDICT.format(said=said, combined=combined)]
    if bag.combine == "vote":
        texts.insert(1, _vote(model))
    return [text.strip("\n") for text in texts]


def _vote(model: Model) -> str:
    kinds = ballots(model)
    used = sorted(set(kinds.values()))
    said = "; ".join(VOTES[kind][0] for kind in used)
    *others, last = used
    of = {kind: tuple(name for name, k in kinds.items() if k == kind) for kind in used}
    lines = [line for kind in others for line in (f"    if name in {of[kind]!r}:", f"        return {VOTES[kind][1]}")]
    return VOTE.format(said=said, body="\n".join([*lines, f"    return {VOTES[last][1]}"]))
