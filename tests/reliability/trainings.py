"""A small training of every regime, to be killed: what stands in `train` and `data`, and the network that it is for.

Every setting, average, noise and schedule of the registries is in one of them: `test_reliability.py` says so where one
is missing.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from regimes import SCHEDULE_CALLS

FOUR = "epochs = 4  checkpoint = every(1, keep = best)"
PLAIN = """model M {
  input  x: [3]
  target t: [2]
  h = x -> dense(4, tanh) -> dropout(0.2)
  output y = h -> dense(2)
}
data { source = npz("d.npz", x = x, t = t)  scale = standard(x)  split = split(train = 70%, val = 30%)  DATA }
"""
TURNS = """block Critic { input x: [3]  output x -> dense(4, tanh) -> dense(1, sigmoid) }
model Gan {
  input x: [3]
  z = noise([2], normal)
  layer D = Critic()
  output sample = z -> dense(4, tanh) -> batchnorm -> dense(3)
  real = x -> D
  fake = sample -> D
}
data { source = npz("d.npz", x = x)  split = split(train = 70%, val = 30%) }
"""
HANDED = """loss along(h, g) = sum(h * g)
model Decoupled {
  input  x: [3]
  target t: [2]
  output h = x -> dense(4, tanh)
  output y = h -> dense(2)
  guess = h -> stop_gradient -> dense(4)
  told = guess -> stop_gradient
}
data { source = npz("d.npz", x = x, t = t)  split = split(train = 70%, val = 30%) }
"""
WITHOUT_TOLD = HANDED.split("\n", 1)[1].replace("  told = guess -> stop_gradient\n", "")
STATEFUL = """model M {
  input  s: [4, 3]
  target t: [2]
  output y = s -> lstm(3, stateful = true, truncate = 2) -> dense(2)
}
data { source = npz("d.npz", s = s, t = t) }
"""
LETTERS = """model Letters {
  input  seen: int[4]
  target unit: class[30]
  output p = seen -> embedding(30, 3) -> flatten -> dense(30, softmax)
}
data { source = text("t.txt") }
"""
ANSWERS = """model Back {
  input  s: [4, 3]
  input  before: int[4]
  target w: class[4, 3]
  read = s -> gru(3)
  said = gru(before -> embedding(3, 2), 3, returns = sequence, initial = read)
  output p = said -> dense(3, softmax)
}
data { source = npz("d.npz", s = s, before = before, w = w) }
"""


@dataclass(frozen=True)
class Regime:
    """A spec, what the command line says besides, and whether TensorFlow has it."""

    spec: str
    words: tuple[str, ...] = ()
    keras: bool = True


def plain(train: str, data: str = "", *, optim: str = "adam(0.02)", words: tuple[str, ...] = (), keras: bool = True):
    """The plain network, with this besides."""
    text = f"{PLAIN.replace('DATA', data)}train {{ loss = mse(y, t)  batch = 5  optim = {optim}  {FOUR}  {train} }}"
    return Regime(text, words, keras)


def over(network: str, train: str) -> Regime:
    """Another network, with one `train`."""
    return Regime(f"{network}train {{ batch = 8  optim = adam(0.02)  {FOUR}  {train} }}")


def by_schedules() -> dict[str, Regime]:
    """A training by every schedule: of those that watch a quantity, too."""
    return {
        f"{name} schedule": plain("", optim=f"sgd({call}, momentum = 0.5)")
        for name, calls in SCHEDULE_CALLS.items()
        for call in calls[:1]
    }


REGIMES = {
    "plain": plain("clip = global_norm(1)  stop = early(val_loss, patience = 99)"),
    "turns": Regime(
        f"""{TURNS}train {{ batch = 8  optim = adam(0.02)  {FOUR} }}
train critic    {{ loss = bce(real, 1) + bce(fake, 0)  updates = [D]  steps = 2  clip = global_norm(0.3) }}
train generator {{ loss = bce(fake, 1)  updates = [sample]  optim = adam(cosine(0.02))
  stop = early(val_loss, patience = 2) }}"""
    ),
    "turns with settings": Regime(
        f"""{WITHOUT_TOLD.replace("split =", "augment = noise(0.1, x)  split =")}
train {{ batch = 8  shuffle = batches  optim = adam(0.02)  {FOUR}  rates = rate(h, 0.5) }}
train upper {{ loss = mse(y, t)  updates = [y]  average = ema(0.8)  stop = early(val_loss, patience = 2)
  optim = sgd(plateau(0.2, patience = 1, min_delta = 9)) }}
train lower {{ loss = mse(y, t)  updates = [h]  steps = 2  noise = gradient(0.1, fade = 0.55)
  average = last(updates = 5) }}
train synthetic {{ loss = mse(guess, gradient(h))  updates = [guess]  noise = weights(0.05) }}""",
        keras=False,
    ),
    "gradient(h)": Regime(f"""{HANDED}train {{ batch = 8  optim = adam(0.02)  {FOUR} }}
train lower     {{ loss = along(h, told, reduce = sum)  updates = [h] }}
train upper     {{ loss = mse(y, t)  updates = [y] }}
train synthetic {{ loss = mse(guess, gradient(h))  updates = [guess]  steps = 2 }}"""),
    "all at once": Regime(plain("").spec.replace("batch = 5", "batch = all")),
    "shuffle = batches": plain("shuffle = batches"),
    "validate after n updates": plain("validate = every(steps(3))  stop = early(val_loss, patience = 5)", keras=False),
    **by_schedules(),
    "noise on gradients": plain("noise = gradient(0.1, fade = 0.55)", keras=False),
    "noise on weights": plain("noise = weights(0.05)", keras=False),
    "average = ema": plain("average = ema(0.9)  stop = early(val_loss, patience = 2)"),
    "average = last epochs": plain("average = last(2)"),
    "average = last updates": plain("average = last(updates = 7)  shuffle = batches", keras=False),
    "accumulate": plain("accumulate = 3"),
    "rates and decay": plain("rates = [rate(h, 0.1)]  decay = weight_decay(0.1)"),
    "take": plain("", "take = 12"),
    "augment": plain("", "augment = noise(0.1, x)"),
    "frozen part": plain("freeze = h.b  decay = l2(0.01)"),
    "stateful, truncated": over(STATEFUL, "loss = mse(y, t)  shuffle = false"),
    "dropout passes": Regime(plain("").spec.replace("dropout(0.2)", "dropout(0.2, always = true)")),
    "init-from": plain("", words=("--init-from", "first")),
    "ensemble = bag": plain("ensemble = bag(3)"),
    "letters that go on": over(LETTERS, "loss = cross_entropy(p, unit)"),
    "teacher forcing": over(ANSWERS, "loss = cross_entropy(p, w)"),
}


def prepare(folder: Path, name: str) -> None:
    """Write the spec of a regime, `spec.nn`, and the data of all."""
    rng = np.random.default_rng(1)
    x, s, w = rng.standard_normal((40, 3)), rng.standard_normal((40, 4, 3)), rng.integers(3, size=(40, 4))
    t = np.sin(x @ rng.standard_normal((3, 2)))
    before = np.concatenate([np.full((40, 1), 2), w[:, :-1]], axis=1)
    np.savez(folder / "d.npz", x=x, t=t, s=s, w=w, before=before)
    (folder / "t.txt").write_text("the cat, the hat: a la carte.\n" * 3)
    (folder / "spec.nn").write_text(REGIMES[name].spec)
