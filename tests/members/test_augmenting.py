"""Training examples changed at random: SciPy's numbers for the same draws, alike in all targets, and resumable."""

import numpy as np
import pytest
from errors.runner import dotnn
from scipy import ndimage

from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_spec
from dotnn_runtime.script import augmenting

TARGETS = {"explain": Options("explain"), "fast": Options("fast"), "tensorflow": Options(target="tensorflow")}
SPEC = """
model Changed {
  input  img: [6, 5, 2]
  input  x: [3]
  target mask: [6, 5]
  target t: [4]
  h = concat(img -> conv2d(3, 3, pad = same, act = tanh) -> flatten, x)
  output m = h -> dense(30) -> reshape([6, 5])
  output y = h -> dense(4)
}
data {
  source  = npz("d.npz", img = img, x = x, mask = mask, t = t)
  split   = split(val = 20%)
  augment = [shift(2, img, mask), rotate(25), flip(horizontal, img, mask), flip(vertical), scale(0.3), crop(0.6),
             cutout(3, mask), noise(0.1), mixup(0.4)]
}
train { loss = mse(m, mask) + mse(y, t)  optim = sgd(0.05)  epochs = 3  batch = 4 }
"""
COUNT = 15
SHAPES = {"img": (6, 5, 2), "x": (3,), "mask": (6, 5), "t": (4,)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("augment")
    rng = np.random.default_rng(1)
    np.savez(folder / "d.npz", **{name: rng.normal(size=(COUNT, *shape)) for name, shape in SHAPES.items()})
    return folder


def module_of(folder, target, text=SPEC):
    (folder / "s.nn").write_text(text)
    (folder / f"{target}.py").write_text(compile_spec(str(folder / "s.nn"), TARGETS[target]).script)
    return load_module(folder / f"{target}.py", None)


@pytest.fixture(scope="module")
def modules(folder):
    return {target: module_of(folder, target) for target in TARGETS}


# ------------------------------------------------------------------------------------------- what SciPy makes of it


def resampled(image, matrix, move):
    """An image seen through a map about its centre, channel by channel."""
    centre = (np.array(image.shape[:2]) - 1) / 2
    planes = np.moveaxis(image.reshape(*image.shape[:2], -1), -1, 0)
    offset = centre + move - matrix @ centre
    made = [ndimage.affine_transform(p, matrix, offset, order=1, mode="grid-constant") for p in planes]
    return np.moveaxis(np.array(made), 0, -1).reshape(image.shape)


def by_hand(examples, seed):
    """What the spec says, one image at a time, with the same draws."""
    rng = np.random.default_rng(seed)
    seen = {name: values.copy() for name, values in examples.items()}
    count = len(seen["x"])
    img, mask = seen["img"], seen["mask"]
    steps = rng.integers(-2, 3, (count, 2))
    for i in range(count):
        img[i] = ndimage.shift(img[i], (*steps[i], 0), order=0)
        mask[i] = ndimage.shift(mask[i], steps[i], order=0)
    degrees = rng.uniform(-25, 25, count)
    for i in range(count):
        img[i] = ndimage.rotate(img[i], degrees[i], reshape=False, order=1, mode="grid-constant")
    for i, mirrored in enumerate(rng.random(count) < 0.5):
        if mirrored:
            img[i], mask[i] = img[i, :, ::-1].copy(), mask[i, :, ::-1].copy()
    for i, mirrored in enumerate(rng.random(count) < 0.5):
        if mirrored:
            img[i] = img[i, ::-1].copy()
    for i, factor in enumerate(1 + rng.uniform(-0.3, 0.3, count)):
        img[i] = resampled(img[i], np.eye(2) / factor, 0)
    shares, corners = rng.uniform(0.6, 1, count), rng.random((count, 2))
    for i in range(count):
        top_left = corners[i] * (1 - shares[i]) * (np.array([6, 5]) - 1)
        first = top_left - ((np.array([6, 5]) - 1) / 2) * (1 - shares[i])
        img[i] = resampled(img[i], np.eye(2) * shares[i], first)
    for i, (row, column) in enumerate(rng.integers(0, [6, 5], (count, 2))):
        mask[i, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = 0
    for name in ("img", "x"):
        seen[name] = seen[name] + rng.normal(0, 0.1, seen[name].shape)
    shares, others = rng.beta(0.4, 0.4, count), rng.permutation(count)
    mix = [[share * v[i] + (1 - share) * v[other] for i, (share, other) in enumerate(zip(shares, others, strict=True))]
           for v in seen.values()]  # fmt: skip
    return dict(zip(seen, map(np.array, mix), strict=True))


@pytest.mark.parametrize("target", TARGETS)
def test_the_changes_are_scipys(target, modules):
    module = modules[target]
    examples = module.prepare(module.load_data(), np.float64)[0]["train"]
    examples = {name: np.asarray(values) for name, values in examples.items()}
    kept = {name: values.copy() for name, values in examples.items()}
    found, expected = module.augment(examples, np.random.default_rng(7)), by_hand(kept, 7)
    assert found.keys() == expected.keys() == SHAPES.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(examples[name], kept[name])  # those that came are left as they are


def test_large_parts_are_changed_in_pieces():
    rng = np.random.default_rng(0)
    images, matrices, moves = rng.normal(size=(7, 5, 4)), rng.normal(size=(7, 2, 2)), rng.normal(size=(7, 2))
    expected = [resampled(*one) for one in zip(images, matrices, moves, strict=True)]
    for piece in (1, 3, 256):
        found = augmenting.images_through(images, matrices, moves, piece)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert augmenting.images_through(images.astype("f4"), matrices, moves).dtype == np.float32


# --------------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("regime", ["batch = 4", "batch = all", "batch = 2  accumulate = 2", "shuffle = batches"])
def test_all_targets_train_on_the_same_examples(regime, folder, modules):
    targets = ["explain", "fast"] if regime[:5] == "shuff" or "acc" in regime else TARGETS
    histories = []
    for target in targets:
        module = module_of(folder, target, SPEC.replace("batch = 4", regime)) if regime != "batch = 4" else None
        dtype = "float64" if target == "tensorflow" else np.float64
        histories.append((module or modules[target]).train(dtype=dtype)[1])
    first, *others = [[(r["loss"], r["val_loss"]) for r in history] for history in histories]
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-6 if len(targets) > 2 else 1e-12)


@pytest.mark.parametrize(
    ("target", "regime"),
    [*((target, "batch = 4") for target in TARGETS), ("explain", "batch = all"), ("fast", "batch = all")],
)
def test_a_resumed_training_sees_what_it_would_have_seen(target, regime, folder, modules):
    module = modules[target] if regime == "batch = 4" else module_of(folder, target, SPEC.replace("batch = 4", regime))
    whole, states = module.train(epochs=3)[0], []

    def keep(record, state):
        states.append(copied(state))

    module.train(epochs=1, on_epoch=keep)
    resumed = module.train(epochs=3, resume=states[0])[0]
    for name, w in whole.items():
        np.testing.assert_array_equal(resumed[name], w)


def copied(value):
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [dict(record) for record in value]
    if hasattr(value, "numpy"):
        return value.numpy()
    return value.copy() if isinstance(value, np.ndarray) else value


def test_each_epoch_has_draws_of_its_own_and_one_step_is_that_of_a_loop(modules):
    """The first epoch in batches of four, with gradient descent written out over the script's own gradients."""
    module = modules["explain"]
    parts, _ = module.prepare(module.load_data(), np.float64)
    params = module.init_params(0, np.float64)
    seen = by_hand(parts["train"], [0, 3, 1])
    order = np.random.default_rng([0, 1]).permutation(len(seen["x"]))
    for start in range(0, len(order), 4):
        batch = {name: values[order[start : start + 4]] for name, values in seen.items()}
        grads = module.loss_and_grads(params, batch)[1]
        params = {name: w - 0.05 * grads[name] for name, w in params.items()}
    found = module.train(epochs=1, dtype=np.float64)[0]
    for name, w in params.items():
        np.testing.assert_allclose(found[name], w, rtol=1e-12, atol=1e-14)


def test_the_gradients_are_proven_and_the_steps_are_those_of_the_examples_that_are_seen(folder):
    (folder / "s.nn").write_text(SPEC)
    outcome = dotnn("check", "s.nn", folder=folder)
    assert outcome.exit_code == 0, outcome.stdout


def test_a_script_that_mixes_up_what_it_sees_is_found(folder):
    (folder / "s.nn").write_text(SPEC)
    script = compile_spec(str(folder / "s.nn"), TARGETS["explain"]).script
    taken = "{n: v[chosen] for n, v in seen.items()}"
    assert script.count(taken) == 1
    (folder / "wrong.py").write_text(script.replace(taken, taken.replace("v[chosen]", 'v[chosen - (n == "t")]')))
    outcome = dotnn("check", "wrong.py", "--spec", "s.nn", folder=folder)
    assert outcome.exit_code == 1 and "V10" in outcome.stdout
