"""Settings of the training loop, in both styles, beside a training that is written out in plain NumPy."""

import copy
from itertools import combinations, cycle

import numpy as np
import pytest
from members.test_resume import assert_same_run, keeping
from support import STYLES, model_of, module_of

from dotnn.core.diagnostics import CompileError
from dotnn.library.averages import AVERAGES
from dotnn.library.noises import NOISES
from dotnn.library.optimizers import OPTIMIZERS
from dotnn.model.settings import SETTINGS
from dotnn_runtime.script.checkpoint import load_state, save_checkpoint, save_state
from dotnn_runtime.script.npz_file import load_arrays

SPEC = """model M {{ input x: [3]  target t: [2]
  h = x -> dense(4, tanh)
  output y = h -> dense(2) }}
data {{ x = [[0, 1, 2]]  t = [[1, 2]]  {data} }}
train {{ loss = mse(y, t)  optim = sgd(0.2, momentum = 0.5)  epochs = 4  checkpoint = every(1)  {train} }}"""
HELD = "split = split(train = 75%, val = 25%, order = file)"
CALLS = {
    "accumulate": ["accumulate = 2", "accumulate = 3", "accumulate = 9"],
    "average": ["average = ema(0.7)", "average = last(3)", "average = last(updates = 7)"],
    "ensemble": ["ensemble = bag(3)"],
    "noise": ["noise = gradient(0.1)", "noise = gradient(0.1, fade = 0.55)", "noise = weights(0.05)"],
    "rates": ["rates = rate(h, 0.1)", "rates = [rate(h, 0.5), rate(y.W, 2)]"],
    "shuffle": ["shuffle = batches", "shuffle = false"],
    "validate": ["validate = every(steps(3))  stop = early(val_loss, patience = 2)", "validate = every(steps(2))"],
}
"""What a spec may say; every setting is here, and every average and every noise."""


def data(count=23):
    rng = np.random.default_rng(7)
    return {"x": rng.standard_normal((count, 3)), "t": rng.standard_normal((count, 2))}


class ByHand:
    """The network and its training, all in one: y = tanh(x W1 + b1) W2 + b2 under the mean of (y - t)² and momentum.

    An update is of `size` examples. It reads of the script nothing but the first weights.
    """

    def __init__(self, params, size, *, rates=None, noise=None, order="examples"):
        self.p = {name: w.copy() for name, w in params.items()}
        self.velocity = {name: np.zeros_like(w) for name, w in params.items()}
        self.size, self.rates, self.noise, self.order = size, rates or {}, noise or {}, order
        self.rng, self.done = np.random.default_rng([0, 1]), 0
        self.weights, self.ends = [], []

    def loss(self, p, batch):
        y = np.tanh(batch["x"] @ p["h.W"] + p["h.b"]) @ p["y.W"] + p["y.b"]
        return np.mean((y - batch["t"]) ** 2)

    def gradient(self, p, batch):
        h = np.tanh(batch["x"] @ p["h.W"] + p["h.b"])
        d_y = 2 * (h @ p["y.W"] + p["y.b"] - batch["t"]) / batch["t"].size
        d_z = d_y @ p["y.W"].T * (1 - h**2)
        return {"h.W": batch["x"].T @ d_z, "h.b": d_z.sum(0), "y.W": h.T @ d_y, "y.b": d_y.sum(0)}

    def normal(self, sigma, like):
        return {name: sigma * self.rng.standard_normal(w.shape) for name, w in like.items()}

    def batches(self, count):
        starts = range(0, count, self.size)
        if self.order == "batches":
            fixed = np.random.default_rng([0, 2]).permutation(count)
            return [fixed[starts[i] : starts[i] + self.size] for i in self.rng.permutation(len(starts))]
        order = self.rng.permutation(count) if self.order == "examples" else np.arange(count)
        return [order[start : start + self.size] for start in starts]

    def train(self, examples, epochs=4):
        for _ in range(epochs):
            for rows in self.batches(len(examples["x"])):
                self.update({name: values[rows] for name, values in examples.items()})
            self.ends.append({name: w.copy() for name, w in self.p.items()})
        return self

    def update(self, batch):
        noise = self.normal(self.noise["weights"], self.p) if "weights" in self.noise else dict.fromkeys(self.p, 0)
        g = self.gradient({name: w + noise[name] for name, w in self.p.items()}, batch)
        if "gradient" in self.noise:
            sigma, fade = self.noise["gradient"]
            g = {name: g[name] + e for name, e in self.normal(sigma * (1 + self.done) ** (-fade / 2), g).items()}
        for name, w in self.p.items():
            rate = 0.2 * next((r for part, r in self.rates.items() if name.startswith(part)), 1)
            self.velocity[name] = 0.5 * self.velocity[name] - rate * g[name]
            self.p[name] = w + self.velocity[name]
        self.done += 1
        self.weights.append({name: w.copy() for name, w in self.p.items()})


def trained(style, train, rows="batch = 4", more=""):
    """The script, its parameters and history, and its first parameters."""
    module = module_of(SPEC.format(train=f"{rows}  {train}", data=more), style)
    params, history = module.train(data(), dtype=np.float64)
    return module, params, history, module.init_params(0, np.float64)


def assert_close(params, right):
    for name, w in right.items():
        np.testing.assert_allclose(params[name], w, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("count", "size"), [(2, 8), (3, 12), (9, 23)])
def test_accumulate_is_the_large_batch(count, size, style):
    """To 1e-12, and in the reported loss, too."""
    _, params, history, first = trained(style, f"accumulate = {count}")
    right = ByHand(first, size).train(data())
    for name, w in right.p.items():
        np.testing.assert_allclose(params[name], w, rtol=1e-12, atol=1e-14)
    _, large, records, _ = trained(style, "", rows=f"batch = {size}")
    for name, w in large.items():
        np.testing.assert_allclose(params[name], w, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose([r["loss"] for r in history], [r["loss"] for r in records], rtol=1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_accumulated_sums_add_up(style):
    text = SPEC.replace("mse(y, t)", "sse(y, t, reduce = sum)").replace("sgd(0.2", "sgd(0.01")
    small, large = (
        module_of(text.format(train=train, data=""), style).train(data(), dtype=np.float64)
        for train in ("batch = 3  accumulate = 4", "batch = 12")
    )
    for name, w in large[0].items():
        np.testing.assert_allclose(small[0][name], w, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(small[1][-1]["loss"], large[1][-1]["loss"], rtol=1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_batches_that_stay_as_they_are(style):
    _, params, _, first = trained(style, "shuffle = batches")
    assert_close(params, ByHand(first, 4, order="batches").train(data()).p)


@pytest.mark.parametrize("style", STYLES)
def test_moving_average(style):
    """What is returned, validated and the best are averages; what is trained is not touched."""
    states = []
    module, params, history, first = trained(style, "average = ema(0.7)  shuffle = false", more=HELD)
    part = {name: values[:17] for name, values in data().items()}
    right = ByHand(first, 4, order="").train(part)
    average, values = right.weights[0], []
    for number, weights in enumerate(right.weights[1:], 2):
        average = {name: 0.7 * a + 0.3 * weights[name] for name, a in average.items()}
        values += [right.loss(average, {n: v[17:] for n, v in data().items()})] if number % 5 == 0 else []
    assert_close(params, average)
    np.testing.assert_allclose([r["val_loss"] for r in history], values, rtol=1e-10)
    module.train(data(), dtype=np.float64, on_epoch=keeping(states))
    assert_close(states[-1]["params"], right.p)


@pytest.mark.parametrize("style", STYLES)
def test_mean_of_the_last_epochs(style):
    _, params, history, first = trained(style, "average = last(3)  shuffle = false", more=HELD)
    right = ByHand(first, 4, order="").train({name: values[:17] for name, values in data().items()})
    means = [{n: np.mean([e[n] for e in right.ends[max(0, k - 3) : k]], axis=0) for n in first} for k in range(1, 5)]
    assert_close(params, means[-1])
    held = {name: values[17:] for name, values in data().items()}
    np.testing.assert_allclose([r["val_loss"] for r in history], [right.loss(m, held) for m in means], rtol=1e-10)


@pytest.mark.parametrize("style", STYLES)
def test_mean_of_the_last_updates(style):
    """Across the ends of epochs, and beside a validation after every second update."""
    train = "average = last(updates = 7)  shuffle = false  validate = every(steps(2))"
    _, params, history, first = trained(style, train, more=HELD)
    right = ByHand(first, 4, order="").train({name: values[:17] for name, values in data().items()})
    means = [
        {n: np.mean([w[n] for w in right.weights[max(0, k - 7) : k]], axis=0) for n in first} for k in range(1, 21)
    ]
    assert_close(params, means[-1])
    held = {name: values[17:] for name, values in data().items()}
    values = [right.loss(means[v["step"] - 1], held) for v in history.validations]
    assert len(values) == 10
    np.testing.assert_allclose([v["val_loss"] for v in history.validations], values, rtol=1e-10)
    np.testing.assert_allclose(history[-1]["val_loss"], right.loss(means[-1], held), rtol=1e-10)


@pytest.mark.parametrize("style", STYLES)
def test_the_best_average_is_returned(style):
    train = (
        "average = ema(0.9)  shuffle = false  stop = early(val_loss, patience = 1)  optim = sgd(0.2, momentum = 0.5)"
    )
    train = train.replace("  optim = sgd(0.2, momentum = 0.5)", "")
    text = SPEC.format(train=f"batch = 4  {train}", data=HELD).replace("sgd(0.2, momentum = 0.5)", "sgd(0.9)")
    module = module_of(text, style)
    params, history = module.train(data(), dtype=np.float64, epochs=30)
    losses = [record["val_loss"] for record in history]
    held = {name: values[17:] for name, values in data().items()}
    assert history.best_epoch == int(np.argmin(losses)) + 1 < len(losses)
    np.testing.assert_allclose(module.evaluate(params, held, history.scaling)["loss"], min(losses), rtol=1e-12)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("average", ["", "average = ema(0.7)"])
def test_validation_between_the_ends_of_epochs(average, style):
    """Of the weights after every third update, or of their average."""
    _, _, history, first = trained(style, f"validate = every(steps(3))  shuffle = false  {average}", more=HELD)
    right = ByHand(first, 4, order="").train({name: values[:17] for name, values in data().items()})
    held = {name: values[17:] for name, values in data().items()}
    weights = right.weights[:1]
    for w in right.weights[1:]:
        weights.append({n: 0.7 * weights[-1][n] + 0.3 * w[n] for n in w} if average else w)
    found = [(v["epoch"], v["step"]) for v in history.validations]
    assert found == [(-(-step // 5), step) for step in range(3, 21, 3)]
    values = [right.loss(weights[step - 1], held) for _, step in found]
    np.testing.assert_allclose([v["val_loss"] for v in history.validations], values, rtol=1e-10)


@pytest.mark.parametrize("style", STYLES)
def test_early_stopping_by_validations(style):
    """The lecture's algorithm: the best weights of all updates so far, and patience that counts validations."""
    train = "batch = 4  validate = every(steps(1))  shuffle = false  stop = early(val_loss, patience = 4)"
    text = SPEC.format(train=train, data=HELD)
    params, history = module_of(text, style).train(data(), dtype=np.float64, epochs=60)
    part, held = ({n: v[rows] for n, v in data().items()} for rows in (slice(17), slice(17, None)))
    right = ByHand(module_of(text, style).init_params(0, np.float64), 4, order="").train(part, 60)
    losses = [right.loss(w, held) for w in right.weights]
    best = waited = 0
    for step, loss in enumerate(losses):
        best, waited = (step, 0) if loss <= losses[best] else (best, waited + 1)
        if waited == 4:
            break
    assert waited == 4 and history.stopped_by == "no better val_loss for 4 validations"
    assert history.validations[-1]["step"] == step + 1 and history.best_epoch == best // 5 + 1
    assert_close(params, right.weights[best])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("train", "options"),
    [
        ("noise = gradient(0.1)", {"noise": {"gradient": (0.1, 0)}}),
        ("noise = gradient(0.1, fade = 0.55)", {"noise": {"gradient": (0.1, 0.55)}}),
        ("noise = weights(0.05)", {"noise": {"weights": 0.05}}),
        ("rates = rate(h, 0.1)", {"rates": {"h": 0.1}}),
        ("rates = [rate(h, 0.5), rate(y.W, 2)]", {"rates": {"h": 0.5, "y.W": 2}}),
    ],
)
@pytest.mark.parametrize(("rows", "size"), [("batch = 4", 4), ("batch = all", 23)])
def test_noise_and_rates(train, options, rows, size, style):
    _, params, _, first = trained(style, f"{train}  shuffle = false", rows=rows)
    assert_close(params, ByHand(first, size, order="", **options).train(data()).p)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("optim", ["sgd(linear(0.1))", "adam(cosine(0.05))", *(f"{name}(0.05)" for name in OPTIMIZERS)])
def test_a_part_at_another_rate_is_that_rate_for_all(optim, style):
    """With decoupled decay, which goes by the learning rate; a factor of all parts is a factor of the rate."""
    lr = optim.partition("(")[2].rstrip(")").rpartition("(")[2]
    scaled = optim.replace(lr, str(float(lr) * 0.5))
    texts = [
        SPEC.replace("sgd(0.2, momentum = 0.5)", o).format(train=f"batch = 4  decay = weight_decay(0.1)  {r}", data="")
        for o, r in ((optim, "rates = [rate(h, 0.5), rate(y, 0.5)]"), (scaled, ""))
    ]
    ours, right = (module_of(text, style).train(data(), dtype=np.float64)[0] for text in texts)
    assert_close(ours, right)


NETWORK = """model M {{ input x: [3]  target t: [2]
  h = x -> dense(4, tanh) -> {middle}
  output y = h -> dense(2) }}
data {{ x = [[0, 1, 2]]  t = [[1, 2]]  split = split(train = 75%, val = 25%) }}
train {{ loss = mse(y, t)  optim = adam(0.1)  batch = 4  epochs = 4  checkpoint = every(1)  {train} }}"""
ONE_BY_ONE = [call for calls in CALLS.values() for call in calls]
ALL_AT_ONCE = [call for call in ONE_BY_ONE if call.startswith(("average", "noise", "rates"))]
"""What may be said where an epoch is one update."""
BESIDES = ["clip = norm(0.1)", "stop = early(val_loss, patience = 1)", "decay = l2(0.1)", "constraint = max_norm(0.5)"]
PAIRS = [
    *(f"{one[0]}  {other[-1]}" for one, other in combinations(CALLS.values(), 2)),
    *(f"{some[-1]}  {other}" for some, other in zip(CALLS.values(), cycle(BESIDES), strict=False)),
    *ONE_BY_ONE,
]
"""Every two settings, each beside something else that a loop may have, and every way to say one."""


def test_what_accumulate_does_not_go_together_with():
    """Each for its reason; TensorFlow and devices are tried elsewhere."""
    for network, train in (
        (NETWORK.replace("{middle}", "batchnorm"), "accumulate = 2"),
        (SPEC.replace("mse(y, t)", "mse(y, t) + sse(y, t)"), "accumulate = 2"),
        (SPEC.replace("mse(y, t)", "sse(y, t)"), "accumulate = 2  decay = l2(0.1)"),
        (SPEC, "accumulate = 2  batch = all"),
    ):
        with pytest.raises(CompileError, match="NN318"):
            model_of(network.format(train=train, data=""))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("train", "middle"),
    [
        *((train, "dropout(0.3)") for train in PAIRS),
        *((train, "batchnorm") for train in ONE_BY_ONE if "accumulate" not in train),
        *((f"{train}  batch = all", "dropout(0.3)") for train in ALL_AT_ONCE),
    ],
)
def test_a_resumed_training_is_the_same(train, middle, style, tmp_path):
    network = NETWORK.replace("batch = 4", "") if "batch = all" in train else NETWORK
    module = module_of(network.format(train=train, middle=middle), style)
    whole = module.train(data())
    states = []
    assert_same_run(module.train(data(), on_epoch=keeping(states)), whole)
    save_state(tmp_path / "state.npz", states[1])
    shapes = {**module.PARAMS, **getattr(module, "STATE", {})}
    assert_same_run(module.train(data(), resume=load_state(tmp_path / "state.npz", shapes)), whole)
    assert_same_run(module.train(data(), resume=copy.deepcopy(states[2])), whole)


@pytest.mark.parametrize("train", PAIRS)
def test_both_styles_do_the_same(train):
    (ours, records), (theirs, others) = (
        module_of(NETWORK.format(train=train, middle="dropout(0.3)"), style).train(data(), dtype=np.float64)
        for style in STYLES
    )
    assert_close(ours, theirs)
    for record, other in zip(records, others, strict=True):
        assert record.keys() == other.keys()
        np.testing.assert_allclose([*record.values()], [*other.values()], rtol=1e-9)


def test_the_best_checkpoint_and_an_interrupted_run_have_the_average(tmp_path):
    """As the validation that they are chosen by."""
    module = module_of(SPEC.format(train="batch = 4  average = ema(0.7)", data=HELD), "fast")
    states = []
    params, _ = module.train(data(), on_epoch=keeping(states))
    save_checkpoint(tmp_path, states[-1], 0, epochs=4, best_by="loss")
    for name, w in load_arrays(tmp_path / "best.npz").items():
        assert name not in params or np.array_equal(w, params[name])


BESIDE = {
    "frozen": ("freeze = h", ""),
    "weighted": ("", "weights = weights"),
    "rounded": ("optim = sgd(0.2)  init = lsuv", ""),
}
"""What a spec may have beside a setting: in `train`, and in `data`."""


@pytest.mark.parametrize("train", ONE_BY_ONE)
@pytest.mark.parametrize("beside", BESIDE)
def test_beside_what_else_a_spec_may_have(train, beside):
    """Both styles do the same, or refuse it for a reason; what is frozen is not moved by an average or by noise."""
    more, weights = BESIDE[beside]
    text = NETWORK.replace("optim = adam(0.1)", "" if "optim" in more else "optim = adam(0.1)")
    text = text.format(train=f"{train}  {more}", middle="dropout(0.3)")
    given = data()
    if weights:
        text = text.replace("t = [[1, 2]]", "t = [[1, 2]]  weights = [2]")
        given |= {"weights": np.arange(1.0, 24.0)}
    if beside == "frozen" and "rates" in train:
        with pytest.raises(CompileError, match="NN318"):
            model_of(text)
        return
    modules = [module_of(text, style) for style in STYLES]
    (ours, records), (theirs, others) = (module.train(given, dtype=np.float64) for module in modules)
    assert_close(ours, theirs)
    np.testing.assert_allclose([r["loss"] for r in records], [r["loss"] for r in others], rtol=1e-9)
    if beside == "frozen":
        first = modules[0].init_params(0, np.float64)
        assert_close(ours, {name: w for name, w in first.items() if name[0] == "h"})


def test_every_setting_is_tried():
    assert {*CALLS} - {"shuffle"} == {*SETTINGS}
    said = " ".join(call for calls in CALLS.values() for call in calls)
    assert all(f"{name}(" in said for name in (*AVERAGES, *NOISES))


def test_an_untouched_default_is_no_setting():
    """And makes no other training: its checkpoints are those of a spec that does not name it."""
    plain, named = (
        module_of(SPEC.format(train=train, data=""), "fast").TRAINING
        for train in ("", "accumulate = 1  average = none  noise = none")
    )
    assert plain == named
    assert len({module_of(SPEC.format(train=call, data=HELD), "fast").TRAINING for call in PAIRS}) == len({*PAIRS})
