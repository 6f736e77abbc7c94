"""What the specs promise in their comments, against independent implementations where there are any."""

import gzip
import warnings
from functools import cache

import numpy as np
import pytest
from errors.runner import dotnn
from PIL import Image
from scipy.optimize import nnls
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from support import SPECS, STYLES, forward_values, module_of, script_of

from dotnn.running.feeding import Fed, answers
from dotnn.running.generation import Choice


@cache
def trained(name, dtype=np.float32):
    """The module of a spec, and what its whole training gives, in the style that `train` uses."""
    module = script_of(SPECS / f"{name}.nn", STYLES[-1])
    return module, *module.train(dtype=dtype)


def rows(examples, name):
    """One row per example."""
    return examples[name].reshape(len(examples[name]), -1)


# ------------------------------------------------------------------------------------- units, lines and planes


def test_and_or():
    module, params, history = trained("and_or")
    assert history.stopped_by == "loss < 1e-09"
    outputs = module.predict(params, {"x": [[0, 0], [0, 1], [1, 0], [1, 1]]})
    np.testing.assert_array_equal(outputs["both"][:, 0], [0, 0, 0, 1])
    np.testing.assert_array_equal(outputs["either"][:, 0], [0, 1, 1, 1])
    np.testing.assert_array_equal(outputs["one"][:, 0], [0, 1, 1, 0])
    assert all((w == 1).all() for w in params.values())


def test_perceptron():
    """Against Rosenblatt's rule written out, one point at a time."""
    module, params, history = trained("perceptron")
    data = module.load_data()
    w, b, epochs = np.ones(2), 0.0, 0
    while epochs == 0 or not ((data["x"] @ w + b > 0) == (data["t"][:, 0] > 0)).all():
        epochs += 1
        for x, t in zip(data["x"], data["t"][:, 0], strict=True):
            if t * (w @ x + b) <= 0:
                w, b = w + t * x, b + t
    assert len(history) == epochs == 17
    assert history[-1]["accuracy"] == 1
    np.testing.assert_allclose(params["score.W"][:, 0], w)
    np.testing.assert_allclose(params["score.b"], b)


def test_xor():
    _, _, history = trained("xor")
    assert history[-1]["accuracy"] == 1
    assert history[-1]["loss"] < 3e-4


def test_linear_regression_is_the_least_squares_solution():
    module, params, history = trained("linear_regression", np.float64)
    data = module.load_data()
    exact = LinearRegression().fit(data["x"], data["progression"])
    found = module.predict(params, {"x": data["x"]}, history.scaling)["y"]
    np.testing.assert_allclose(found, exact.predict(data["x"]), rtol=1e-4)
    np.testing.assert_allclose(history[-1]["r2"], exact.score(data["x"], data["progression"]), rtol=1e-6)


def test_passengers_are_told_apart_as_by_a_logistic_regression():
    """Of the same columns, whose gaps are filled and whose texts are spread out by scikit-learn."""
    module, _, history = trained("passengers")
    data = module.load_data()
    # Where each example went is seen on numbers that count them.
    parts, scaling = module.prepare({**data, "x": np.repeat(np.arange(600.0), 2).reshape(600, 2)}, np.float64)
    step, first = 1 / scaling["x"]["scale"][0], scaling["x"]["shift"][0]
    train, test = ((parts[part]["x"][:, 0] * step + first).round().astype(int) for part in ("train", "test"))
    numbers = np.hstack([data["x"], np.log(data["fare"])])
    texts = np.stack([data["sex"], data["deck"]], axis=1)
    table = np.hstack(
        [
            make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(numbers[train]).transform(numbers),
            OneHotEncoder(handle_unknown="ignore").fit(texts[train]).transform(texts).toarray(),
        ]
    )
    t = data["survived"][:, 0]
    peer = LogisticRegression(max_iter=1000).fit(table[train], t[train]).score(table[test], t[test])
    assert history.test["accuracy"] == pytest.approx(0.76, abs=0.03)
    assert history.test["accuracy"] > peer - 0.03


def test_non_negative_regression_is_that_of_lawson_and_hanson():
    module, params, _ = trained("non_negative", np.float64)
    parts, _ = module.prepare(module.load_data(), np.float64)
    x, t = parts["train"]["x"], parts["train"]["progression"][:, 0]
    # Scaled to mean 0, the bias of the best fit is 0.
    exact, _ = nnls(x, t)
    assert (exact > 0).sum() == 5
    np.testing.assert_allclose(params["y.W"][:, 0], exact, atol=1e-9)


def test_a_plateau_ends_the_noise_of_the_batches():
    module, _, history = trained("plateau")
    data = module.load_data()
    exact = LinearRegression().fit(data["x"], data["progression"]).score(data["x"], data["progression"])
    assert history[-1]["r2"] > exact - 1e-4
    spec = (SPECS / "plateau.nn").read_text()
    for seed in range(3):
        constant = spec.replace("plateau(0.05, loss, factor = 0.7, patience = 10)", "0.05")
        assert module_of(constant, STYLES[-1]).train(data, epochs=100, seed=seed)[1][-1]["r2"] < exact - 0.02


def test_logistic_regression_is_the_penalised_optimum():
    module, params, history = trained("logistic", np.float64)
    parts, _ = module.prepare(module.load_data(), np.float64)
    x, t = parts["train"]["x"], parts["train"]["benign"][:, 0]
    # scikit-learn minimises C * (sum of losses) + |w|²/2; the spec their mean + 0.01 |w|².
    exact = LogisticRegression(C=1 / (2 * 0.01 * len(x)), tol=1e-10, max_iter=10_000).fit(x, t)
    np.testing.assert_allclose(params["p.W"][:, 0], exact.coef_[0], atol=1e-4)
    np.testing.assert_allclose(params["p.b"], exact.intercept_, atol=1e-4)
    assert history.test["accuracy"] >= 0.96


def test_softmax_regression_is_the_penalised_optimum():
    module, params, history = trained("softmax_regression", np.float64)
    parts, _ = module.prepare(module.load_data(), np.float64)
    x, y = parts["train"]["x"], parts["train"]["species"]
    exact = LogisticRegression(C=1 / (2 * 0.01 * len(x)), tol=1e-10, max_iter=10_000).fit(x, y)
    np.testing.assert_allclose(params["p.W"].T, exact.coef_, atol=1e-4)
    np.testing.assert_allclose(module.forward(params, {"x": x})[0]["p"], exact.predict_proba(x), atol=1e-4)
    assert history[-1]["accuracy"] >= 0.96


# ----------------------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("act", ["sigmoid", "tanh", "relu"])
def test_power_plant_in_its_own_units(act):
    module = script_of(SPECS / "power_plant.nn", STYLES[-1], (f"act={act}",))
    params, history = module.train(dtype=np.float64)
    data = module.load_data()
    assert history.stopped_by == "loss < 5e-05"
    megawatts = module.predict(params, {"d": data["d"]}, history.scaling)["y"]
    np.testing.assert_allclose(megawatts, data["t"], atol=1)


def test_digits_beats_scikit_learn():
    """The same split, size, activation, optimizer, learning rate, batch and number of epochs; two seeds each."""
    module, _, history = trained("digits")
    parts, _ = module.prepare(module.load_data())
    ours, theirs = [history.test["accuracy"]], []
    ours.append(module.train(seed=1)[1].test["accuracy"])
    for seed in range(2):
        peer = MLPClassifier((64,), batch_size=32, learning_rate_init=5e-3, max_iter=60, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged after as many epochs as we train
            peer.fit(rows(parts["train"], "image"), parts["train"]["digit"])
        theirs.append(peer.score(rows(parts["test"], "image"), parts["test"]["digit"]))
    print(f"\ndigits, accuracy on the test part: dotnn {np.round(ours, 4)}, MLPClassifier {np.round(theirs, 4)}")
    assert min(ours) >= 0.97
    assert np.mean(ours) >= np.mean(theirs)


def test_digits_with_dropout():
    assert trained("digits_dropout")[2].test["accuracy"] >= 0.97


def test_digits_with_a_cosine():
    _, _, history = trained("digits_cosine")
    assert len(history) <= 15
    assert history.test["accuracy"] >= 0.97


def test_digits_with_max_norm():
    _, params, history = trained("digits_max_norm")
    assert history.test["accuracy"] >= 0.97
    lengths = [np.linalg.norm(params[name], axis=0) for name in ("h.W", "p.W")]
    assert max(length.max() for length in lengths) <= 2 + 1e-6
    assert sum((length > 1.999).sum() for length in lengths) > 5


def test_one_cycle():
    _, _, history = trained("one_cycle")
    assert min(history.test["accuracy"], history.test["f1"]) >= 0.96


def test_digits_with_batch_normalisation():
    module, params, history = trained("digits_batchnorm")
    assert history.test["accuracy"] >= 0.98
    assert set(module.STATE) <= set(params)
    assert all((params[name] > 0).all() for name in module.STATE if name.endswith("var"))


def test_logistic_units_do_not_learn_in_a_deep_network_and_relu_does():
    """The first layer's gradient vanishes beside the last one's, and the accuracy stays at chance."""
    accuracy, share = {}, {}
    for act in ("sigmoid", "relu"):
        module = script_of(SPECS / "vanishing.nn", STYLES[-1], (f"act={act}",))
        history = module.train()[1]
        accuracy[act] = history.test["accuracy"]
        parts, _ = module.prepare(module.load_data(), np.float64)
        start = module.init_params(0, np.float64)
        grads = module.loss_and_grads(start, {name: rows[:200] for name, rows in parts["train"].items()})[1]
        share[act] = np.linalg.norm(grads["first.W"]) / np.linalg.norm(grads["p.dense1.W"])
    assert accuracy["sigmoid"] < 0.15
    assert accuracy["relu"] >= 0.93
    assert share["sigmoid"] < 1e-3
    assert share["relu"] > 0.1


def test_brackets():
    module, params, history = trained("brackets")
    assert history.test["accuracy"] >= 0.95
    empty, full = [0] * 6 + [1] * 6, [0, 1] * 6
    outputs = module.predict(params, {"tokens": [empty, full, [0, 1, 1, 0, 0, 1] * 2]})
    np.testing.assert_array_equal(outputs["p"].argmax(axis=1), [1, 1, 0])


def test_probe():
    """The probe is trained on the code, and the code is what it is without the probe."""
    module, params, history = trained("probe")
    assert history.test["accuracy_p"] >= 0.85
    parts, _ = module.prepare(module.load_data(), np.float64)
    clean = parts["test"]["clean"]
    noisy = clean + 0.3 * np.random.default_rng(0).standard_normal(clean.shape)
    left = np.mean((module.forward(params, {"image": noisy})[0]["copy"] - clean) ** 2)
    assert left < 0.5 * 0.3**2
    point = {name: rows[:50] for name, rows in parts["train"].items()}
    wrong = {**point, "digit": (point["digit"] + 1) % 10}
    one, other = (module.loss_and_grads(params, b, rng=np.random.default_rng(1))[1] for b in (point, wrong))
    for name in module.PARAMS:
        assert (one[name] == other[name]).all() == (not name.startswith("p.")), name


def test_residual_mlp():
    assert trained("residual_mlp")[2].test["accuracy"] >= 0.975


def test_iris():
    assert trained("iris")[2].test["accuracy"] >= 0.96


def test_maxout():
    assert trained("maxout")[2][-1]["accuracy"] >= 0.97


def test_autoencoder_beats_principal_components():
    module, params, _ = trained("autoencoder")
    data = module.load_data()
    pixels = rows(data, "image") / 16
    linear = PCA(8).fit(pixels)
    of_linear = np.mean((linear.inverse_transform(linear.transform(pixels)) - pixels) ** 2)
    outputs, _ = module.forward(params, {"image": data["image"] / 16})
    assert outputs["code"].shape == (len(pixels), 8)
    assert np.mean((outputs["copy"] - data["image"] / 16) ** 2) < 0.7 * of_linear


def test_lenet():
    assert trained("lenet")[2].test["accuracy"] >= 0.98


def test_conv_autoencoder_beats_principal_components():
    """As many numbers in the middle, and most of the weights used at several places."""
    module, params, _ = trained("conv_autoencoder")
    data = module.load_data()
    pixels = rows(data, "image") / 16
    outputs, _ = module.forward(params, {"image": data["image"] / 16})
    numbers = outputs["code"][0].size
    linear = PCA(numbers).fit(pixels)
    of_linear = np.mean((linear.inverse_transform(linear.transform(pixels)) - pixels) ** 2)
    assert numbers == 16
    # 0.66 to 0.76 of it: that depends on the seed, and on the last bit of a sigmoid.
    assert np.mean((outputs["copy"] - data["image"] / 16) ** 2) < 0.8 * of_linear


def test_four():
    """The lecture's filters are found from one image; on a moved image they make the same maps, moved."""
    module, params, _ = trained("four", np.float64)
    upright = np.array([[-1, 1, -1]] * 3)
    np.testing.assert_allclose(params["found.W"][:, :, 0], np.stack([upright, upright.T], axis=-1), atol=1e-3)
    data = module.load_data()
    image, maps = data["image"] / 255, data["maps"] / 255
    for place in [(1, 0), (0, -1), (-1, 1)]:
        moved = module.forward(params, {"image": np.roll(image, place, (1, 2))})[0]["found"]
        # The 4 has a border of one pixel, so its maps fill the image: what moves out at one side is lost.
        inner = (slice(None), *(slice(max(n, 0), 6 + min(n, 0)) for n in place))
        np.testing.assert_allclose(moved[inner], np.roll(maps, place, (1, 2))[inner], atol=3e-3)


def test_wide_and_deep_is_no_worse_than_linear_regression():
    module, _, history = trained("wide_and_deep")
    parts, _ = module.prepare(module.load_data(), np.float64)
    linear = LinearRegression().fit(parts["train"]["x"], parts["train"]["progression"])
    assert history.test["r2"] >= linear.score(parts["test"]["x"], parts["test"]["progression"]) - 0.02


def test_two_tasks():
    _, _, history = trained("two_tasks")
    assert history.test["accuracy_p"] >= 0.92
    assert history.test["r2_a"] >= 0.93


def test_graph():
    assert trained("graph")[2][-1]["r2"] >= 0.7


def test_frozen_encoder():
    """Against a logistic regression on principal components; the penalty 0.01 w^2 is C = 1 / (2 * 0.01 * examples)."""
    module, params, history = trained("frozen_encoder", np.float64)
    data = module.load_data()
    scaled = StandardScaler().fit_transform(data["x"])
    components = PCA(2).fit(scaled).components_.T
    np.testing.assert_allclose(np.abs(params["encode.W"]), np.abs(components), atol=1e-5)
    codes = scaled @ params["encode.W"]
    fitted = LogisticRegression(C=50 / len(codes), max_iter=5000, tol=1e-10).fit(codes, data["species"])
    ours = params["p.W"] - params["p.W"].mean(1, keepdims=True)
    np.testing.assert_allclose(ours, fitted.coef_.T, rtol=0.01, atol=0.01)
    assert history[-1]["accuracy"] == fitted.score(codes, data["species"]) > 0.9


def test_shared_weights():
    module, params, history = trained("shared_weights")
    assert history[-1]["accuracy"] == 1
    assert set(module.PARAMS) == {"code.W", "code.b", "p.W", "p.b"}
    swapped = module.load_data()
    outputs = module.predict(params, {"a": swapped["b"], "b": swapped["a"]})
    np.testing.assert_allclose(outputs["p"], module.predict(params, {n: swapped[n] for n in "ab"})["p"], rtol=1e-5)


def test_dueling():
    module, params, history = trained("dueling")
    assert history[-1]["rmse"] < 0.01
    values = forward_values(module, params, {"state": np.linspace(-1, 1, 8, dtype=np.float32)[:, None]})
    np.testing.assert_allclose(values["relative"].mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(values["q"].mean(axis=1), values["value"][:, 0], atol=1e-6)


def test_experts():
    assert trained("experts")[2][-1]["rmse"] < 0.01


# ------------------------------------------------------------------------------------------------------- sequences


def root_mean_square(error):
    return np.sqrt(np.mean(np.square(error)))


def test_sunspots():
    """The years that Weigend, Huberman and Rumelhart (1990) forecast, beside two forecasts that learn nothing."""
    module, params, history = trained("sunspots")
    with np.load(SPECS / "data" / "sunspots.npz") as data:
        years, after, mean = data["later_years"][:35], data["later_after"][:35], data["after"].mean()
    found = module.predict(params, {"years": years}, history.scaling)["y"]
    assert root_mean_square(found - after) <= 20
    np.testing.assert_allclose(root_mean_square(years[:, -1] - after), 25, atol=0.5)
    np.testing.assert_allclose(root_mean_square(mean - after), 42, atol=0.5)


@pytest.mark.parametrize(
    ("name", "with_changes", "without"), [("digits_few", 0.95, 0.945), ("shapes", 25 / 30, 15 / 30)]
)
def test_few_images_are_better_changed(name, with_changes, without):
    module, _, history = trained(name)
    changed = module.augment
    try:
        module.augment = lambda examples, rng: examples
        unchanged = module.train()[1].test["accuracy"]
    finally:
        module.augment = changed
    assert history.test["accuracy"] >= with_changes > without >= unchanged


def test_digits_idx_has_a_test_part_of_its_own():
    module, _, history = trained("digits_idx")
    parts, _ = module.prepare(module.load_data())
    assert len(parts["test"]["image"]) == 450
    assert history.test["accuracy"] >= 0.9 and history[-1]["val_accuracy"] >= 0.97


@pytest.mark.parametrize(
    ("name", "file", "count"),
    [
        ("digits_idx", "digits-test-images-idx3-ubyte.gz", 450),
        ("shapes", "shapes_later", 30),
        ("shapes", "shapes_later/square/00.png", 1),
    ],
)
def test_a_prediction_takes_the_raw_file_again(name, file, count, tmp_path):
    """The probabilities are those of the script for the numbers that NumPy and Pillow read."""
    module, run = trained(name)[0], tmp_path / "run"
    train = dotnn("train", str(SPECS / f"{name}.nn"), "--epochs", "1", "--run", str(run), folder=tmp_path)
    assert train.exit_code == 0, train.stderr
    outcome = dotnn("predict", str(run), "--input", str(SPECS / "data" / file), folder=tmp_path)
    assert outcome.exit_code == 0, outcome.stderr
    with np.load(run / "weights.npz") as weights:
        expected = module.predict(dict(weights), raw_images(SPECS / "data" / file))["p"]
    columns = range(expected.shape[1])
    found = np.loadtxt(outcome.stdout.splitlines()[1:], delimiter=",", ndmin=2, usecols=columns)
    assert len(found) == count
    np.testing.assert_allclose(found, expected, atol=1e-6)


def raw_images(path):
    """The input of a file or a folder, read with other means."""
    if path.suffix == ".gz":
        return {"image": np.frombuffer(gzip.decompress(path.read_bytes())[16:], np.uint8).reshape(-1, 8, 8)}
    files = sorted(path.rglob("*.png")) if path.is_dir() else [path]
    return {"img": np.array([np.asarray(Image.open(file)) for file in files])[..., None]}


def test_load():
    """The last 453 of 3,024 hours, beside the forecasts that repeat the day, and the week, before."""
    history = trained("load")[2]
    last = np.loadtxt(SPECS / "data" / "load.csv", delimiter=",", skiprows=1, usecols=1)[-453:]
    days = np.lib.stride_tricks.sliding_window_view(last, 192)
    assert history.test["mae"] <= 4
    np.testing.assert_allclose(abs(days[:, 168:] - days[:, 144:168]).mean(), 5.2, atol=0.05)
    np.testing.assert_allclose(abs(days[:, 168:] - days[:, :24]).mean(), 6.8, atol=0.05)


def test_jabberwocky():
    assert trained("jabberwocky")[2][-1]["accuracy"] >= 0.95


def test_number_writer_writes_numbers_that_it_has_not_read():
    """Against the list of all numbers; what is drawn next is written out here."""
    module, params, _ = trained("number_writer")
    text = (SPECS / "data" / "number_names.txt").read_text(encoding="utf-8")
    known, read = sorted(set(text)), set(text.split())
    found, rng = [known.index(unit) for unit in text[:12]], np.random.default_rng(0)
    for _ in range(4000):
        p = module.predict(params, {"seen": [found[-12:]]})["p"][0].astype(float) ** 2  # a temperature of 1/2
        found.append(int((np.cumsum(p) <= rng.random() * p.sum()).sum()))
    lines = "".join(known[i] for i in found).split("\n")[1:-1]
    right = [line for line in lines if number_of(line) is not None]
    assert len(right) >= 0.95 * len(lines) and set(" ".join(right).split()) <= read
    assert 0.4 < np.mean([line not in text.split("\n") for line in right]) < 0.7


def test_early_stopping_is_the_lecture_s_algorithm():
    """Line by line in NumPy, in float64: the batches, their order, the sums, and the best weights."""
    module = script_of(SPECS / "early_stopping.nn", STYLES[-1])
    parts, _ = module.prepare(module.load_data(), np.float64)
    w = module.init_params(0, np.float64)
    params, history = module.train(dtype=np.float64)
    x, t = parts["train"]["x"], parts["train"]["progression"]
    order, rng = np.random.default_rng([0, 2]).permutation(len(x)), np.random.default_rng([0, 1])
    batches = [order[start : start + 16] for start in range(0, len(x), 16)]
    least, best, waited, epoch = np.inf, {}, 0, 0
    while waited < 100:
        epoch += 1
        for number in rng.permutation(len(batches)):
            rows = batches[number]
            a, b, y = by_layers(w, x[rows])
            d = y - t[rows]
            db = d @ w["y.W"].T * b * (1 - b)
            da = db @ w["hidden2.W"].T * a * (1 - a)
            for name, before, delta in (("y", b, d), ("hidden2", a, db), ("hidden1", x[rows], da)):
                w = w | {f"{name}.W": w[f"{name}.W"] - 0.01 * before.T @ delta}
                w = w | {f"{name}.b": w[f"{name}.b"] - 0.01 * delta.sum(axis=0)}
            error = 0.5 * ((by_layers(w, parts["val"]["x"])[2] - parts["val"]["progression"]) ** 2).sum()
            least, best, waited = (error, w, 0) if error <= least else (least, best, waited + 1)
            if waited == 100:
                break
    assert epoch == len(history) == 27 and history.best_epoch == 21
    for name, value in best.items():
        np.testing.assert_allclose(params[name], value, rtol=1e-8, atol=1e-10)
    assert history[20]["r2"] > 0.5


def by_layers(w, x):
    a = 1 / (1 + np.exp(-(x @ w["hidden1.W"] + w["hidden1.b"])))
    b = 1 / (1 + np.exp(-(a @ w["hidden2.W"] + w["hidden2.b"])))
    return a, b, b @ w["y.W"] + w["y.b"]


def test_transfer_from_an_autoencoder():
    """The encoder stays as it was learned; against one that is drawn, and against all that is trained."""
    code = trained("autoencoder")[1]
    module = script_of(SPECS / "transfer.nn", STYLES[-1])
    drawn = module.init_params(0)
    params, history = module.train(params={name: code.get(name, w) for name, w in drawn.items()})
    assert sum(np.array_equal(w, code[name]) for name, w in params.items() if name in code) == 4
    assert history.test["accuracy"] >= 0.77
    assert module.train()[1].test["accuracy"] <= 0.4
    text = (SPECS / "transfer.nn").read_text(encoding="utf-8").replace("  freeze  = [code]\n", "")
    everything = module_of(text.replace('"data/', f'"{SPECS}/data/'), STYLES[-1])
    assert everything.train(module.load_data())[1].test["accuracy"] <= 0.73


def test_bagging_is_better_than_each_of_its_networks():
    """By the mean of their probabilities, and by those of the networks that an example has not been shown."""
    module = script_of(SPECS / "bagging.nn", STYLES[-1])
    parts, _ = module.prepare(module.load_data())
    test, train = parts["test"], parts["train"]
    right, said, outside = [], 0, np.zeros((len(train["digit"]), 10))
    for seed in range(10):
        params, _ = module.train(seed=seed)
        p = module.forward(params, {"image": test["image"][:]})[0]["p"]
        right.append(np.mean(p.argmax(axis=1) == test["digit"][:]))
        said = said + p
        unseen = np.setdiff1d(
            np.arange(len(outside)), np.random.default_rng([seed, 3]).integers(len(outside), size=len(outside))
        )
        outside[unseen] += module.forward(params, {"image": train["image"][:][unseen]})[0]["p"]
    together = np.mean(said.argmax(axis=1) == test["digit"][:])
    assert together >= 0.985 and together > max(right) and round(min(right), 2) == 0.97
    assert 0.95 < np.mean(outside.argmax(axis=1) == train["digit"][:]) < together


def number_of(line):
    """A number below 1000 in English words; None for what is none."""
    units = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    values = {word: i for i, word in enumerate([*units.split(), "eighteen", "nineteen"], 1)}
    round_ones = "twenty thirty forty fifty sixty seventy eighty ninety"
    tens = {word: 10 * i for i, word in enumerate(round_ones.split(), 2)}
    words, total = line.split(" "), 0
    if words[1:2] == ["hundred"] and values.get(words[0], 10) < 10:
        total, words = 100 * values[words[0]], words[2:]
    if words and words[0] in tens:
        total, words = total + tens[words[0]], words[1:]
        values = {word: i for word, i in values.items() if i < 10}
    if len(words) == 1 and words[0] in values:
        total, words = total + values[words[0]], []
    return total if total and not words else None


def test_translation_answers_by_its_own_words():
    """Against the two recurrent layers and the search step by step, written out."""
    module, params, _ = trained("translation")
    test = module.prepare(module.load_data())[0]["test"]
    found = answers(
        lambda inputs: module.predict(params, inputs),
        {"digits": test["digits"]}, Fed("before", "words", 0), "p", 5, Choice(0.0), np.random.default_rng(0),
    )  # fmt: skip
    h = np.zeros((len(found), 32))
    for step in range(3):
        h = gru_step(params, "read", params["read.embedding1.W"][test["digits"][:, step]], h)
    word, table = np.zeros(len(found), int), next(w for n, w in params.items() if w.shape == (29, 16))
    for step in range(5):
        h = gru_step(params, "said", table[word], h)
        word = (h @ params["p.W"] + params["p.b"]).argmax(axis=1)
        np.testing.assert_array_equal(found[:, step], word)
    assert (found == test["words"]).all(axis=1).mean() >= 0.95


def gru_step(params, layer, x, h):
    """One step of a gated recurrent unit, the reset after the product; the gates are z, r and g."""
    name = next(n.removesuffix(".U") for n in params if n.startswith(layer) and n.endswith(".U"))
    W, U, b, c = (params[f"{name}.{part}"].astype(float) for part in ("W", "U", "b", "b_U"))
    n = len(U)
    a, s = x @ W + b, h @ U + c
    z, r = (1 / (1 + np.exp(-(a[:, k : k + n] + s[:, k : k + n]))) for k in (0, n))
    return z * h + (1 - z) * np.tanh(a[:, 2 * n :] + r * s[:, 2 * n :])


def test_number_words():
    module, params, history = trained("number_words")
    assert history.test["accuracy"] >= 0.95
    words = module.load_data()
    longer = {"letters": words["letters"].copy(), "tokens": words["tokens"]}
    longer["letters"][words["tokens"] == 0] = 1  # whatever stands in the padding
    expected, found = (module.predict(params, {n: b[n] for n in longer})["p"] for b in (words, longer))
    np.testing.assert_array_equal(found, expected)


def test_survey_is_the_weighted_optimum_and_speaks_of_the_land():
    """Against scikit-learn with the same weights; of such a regression the weighted mean is that of the answers."""
    module, params, _ = trained("survey", np.float64)
    parts, _ = module.prepare(module.load_data(), np.float64)
    x, t, w = (parts["train"][name] for name in ("x", "high_income", "weights"))
    exact = LogisticRegression(C=1 / (2 * 0.001 * w.sum()), tol=1e-10, max_iter=10_000).fit(x, t[:, 0], w)
    np.testing.assert_allclose(params["p.W"][:, 0], exact.coef_[0], atol=1e-4)
    np.testing.assert_allclose(params["p.b"], exact.intercept_, atol=1e-4)
    p = module.forward(params, {"x": x})[0]["p"]
    assert round(np.average(p[:, 0], weights=w), 2) == round(np.average(t[:, 0], weights=w), 2) == 0.25
    assert round(t.mean(), 2) == 0.37


def test_word_parts():
    """The share of the letters whose part is found, by a count that leaves out what fills the words up."""
    module, params, history = trained("word_parts")
    assert history.test["accuracy"] >= 0.99
    test = module.prepare(module.load_data())[0]["test"]
    found = module.predict(params, {"tokens": test["tokens"]})["p"].argmax(axis=-1)
    letters = test["tokens"] > 0
    np.testing.assert_allclose(history.test["accuracy"], (found == test["parts"])[letters].mean(), rtol=1e-12)


def test_adder():
    assert trained("adder")[2].test["accuracy"] == 1


# ------------------------------------------------------------------------------------------------ sections in turn


def test_the_gan_finds_all_corners():
    module, params, _ = trained("gan")
    points = module.predict(params, {"x": np.zeros((2000, 2))}, rng=np.random.default_rng(5))["sample"]
    corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / np.sqrt(2)
    apart = np.linalg.norm(points[:, None] - corners, axis=2)
    near = apart.min(axis=1) < 0.3
    assert near.mean() > 0.8
    assert np.bincount(apart.argmin(axis=1)[near], minlength=4).min() > 100


def test_decoupled_layers_learn_as_well():
    """Within two points of the same network in one piece."""
    decoupled, whole = trained("decoupled")[2], trained("digits")[2]
    assert decoupled.test["upper.accuracy"] > whole.test["accuracy"] - 0.02
