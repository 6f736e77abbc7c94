"""The worked example of lecture 002: every printed number, from the compiled script."""

import json
from pathlib import Path

import numpy as np
import pytest
from support import SPECS, forward_values, script_of

BOOK = json.loads((Path(__file__).parent / "textbook.json").read_text())["power_plant"]
PLACES = {3: ("hidden1", 0), 4: ("hidden1", 1), 5: ("hidden1", 2), 6: ("hidden2", 0), 7: ("hidden2", 1), 8: ("y", 0)}
PRINTED = 6e-5  # the lecture prints four decimals
SECOND = 1  # the example d2


@pytest.fixture(scope="module", params=["logistic", "relu"])
def run(request):
    """The compiled script of one of the two runs, its starting weights, its data, and what the lecture printed."""
    spec = "power_plant_by_hand" if request.param == "logistic" else "power_plant_relu"
    sets = () if request.param == "logistic" else ("lr=0.2",)
    module = script_of(SPECS / f"{spec}.nn", sets=sets)
    return module, module.init_params(0, np.float64), module.load_data(), BOOK[request.param]


def value(table, neuron):
    """The values of a neuron for all examples, from a table of arrays by layer."""
    layer, column = PLACES[int(neuron)]
    return table[layer][:, column]


def weight(params, to, source):
    """The weight of the connection `to,source` of the lecture; source 0 is the bias, 1 and 2 are the inputs."""
    layer, column = PLACES[to]
    if source == 0:
        return params[f"{layer}.b"][column]
    return params[f"{layer}.W"][source - 1 if source < 3 else PLACES[source][1], column]


def gradients_of_example(run, example):
    module, params, data, _ = run
    return module.loss_and_grads(params, {name: rows[example : example + 1] for name, rows in data.items()})[1]


def test_the_weights(run):
    _, params, _, _ = run
    for layer, table in zip(("hidden1", "hidden2", "y"), ("W1", "W2", "W3"), strict=True):
        rows = np.array(BOOK["weights"][table])
        np.testing.assert_array_equal(params[f"{layer}.b"], rows[:, 0])
        np.testing.assert_array_equal(params[f"{layer}.W"], rows[:, 1:].T)


def test_forward(run):
    module, params, data, printed = run
    outputs, cache = module.forward(params, data)
    np.testing.assert_allclose(outputs["y"][:, 0], printed["prediction"], atol=PRINTED)
    second, values = printed["d2"], forward_values(module, params, data)
    sums = {layer: values[f"{layer}_z"] for layer in ("hidden1", "hidden2", "y")}
    for neuron, z in second["z"].items():
        np.testing.assert_allclose(value(sums, neuron)[SECOND], z, atol=second["tolerance_z"], err_msg=neuron)
    for neuron, a in second.get("a", {}).items():
        np.testing.assert_allclose(value(values, neuron)[SECOND], a, atol=PRINTED, err_msg=neuron)
    loss = module.total_loss(params, data, cache)
    np.testing.assert_allclose(loss, printed["sse_half"], atol=printed["tolerance_sse"])
    if "error" in printed:
        np.testing.assert_allclose((data["t"] - outputs["y"])[:, 0], printed["error"], atol=PRINTED)


def test_delta(run):
    """The gradient by the bias, for one example, is that example's delta."""
    grads, second = gradients_of_example(run, SECOND), run[3]["d2"]
    for neuron, delta in second["delta"].items():
        tolerance = second.get("tolerance_delta", PRINTED)
        np.testing.assert_allclose(weight(grads, int(neuron), 0), delta, atol=tolerance, err_msg=neuron)


def test_slopes(run):
    """da/dz is the factor between dE/da and delta; dE/da comes from the deltas one layer further."""
    module, params, data, printed = run
    slopes = printed["d2"].get("da_dz", {})
    grads = gradients_of_example(run, SECOND)
    delta = {neuron: weight(grads, neuron, 0) for neuron in PLACES}
    outputs, _ = module.forward(params, data)
    sent_back = {8: (outputs["y"] - data["t"])[SECOND, 0]}
    sent_back |= {n: weight(params, 8, n) * delta[8] for n in (6, 7)}
    sent_back |= {n: sum(weight(params, k, n) * delta[k] for k in (6, 7)) for n in (3, 4, 5)}
    for neuron, slope in slopes.items():
        np.testing.assert_allclose(delta[int(neuron)] / sent_back[int(neuron)], slope, atol=PRINTED, err_msg=neuron)


def test_gradient_of_every_weight(run):
    grads, second = gradients_of_example(run, SECOND), run[3]["d2"]
    for connection, gradient in second.get("dE_dw", {}).items():
        to, source = map(int, connection.split(","))
        np.testing.assert_allclose(
            weight(grads, to, source), gradient, atol=second["tolerance_dE_dw"], err_msg=connection
        )


def test_the_gradient_of_w_7_5_is_summed_over_the_examples():
    module = script_of(SPECS / "power_plant_by_hand.nn")
    params, data, printed = module.init_params(0, np.float64), module.load_data(), BOOK["logistic"]
    run = module, params, data, printed
    each = [weight(gradients_of_example(run, k), 7, 5) for k in range(4)]
    np.testing.assert_allclose(each, printed["dE_dw_7_5_per_example"], atol=printed["tolerance_delta_w"])
    grads = module.loss_and_grads(params, data)[1]
    np.testing.assert_allclose(weight(grads, 7, 5), sum(each), rtol=1e-12)
    np.testing.assert_allclose(weight(grads, 7, 5), printed["delta_w_7_5"], atol=printed["tolerance_delta_w"])


def test_one_update():
    module, printed = script_of(SPECS / "power_plant_by_hand.nn"), BOOK["logistic"]
    start = module.init_params(0, np.float64)
    before = module.total_loss(start, module.load_data(), module.forward(start, module.load_data())[1])
    np.testing.assert_allclose(before, printed["sse_half"], atol=printed["tolerance_sse"])
    params, history = module.train(epochs=1, dtype=np.float64)
    np.testing.assert_allclose(weight(params, 7, 5), printed["w_7_5_after_one_update"], atol=printed["tolerance_w"])
    outputs, cache = module.forward(params, module.load_data())
    after = printed["after_one_update"]
    np.testing.assert_allclose(outputs["y"][:, 0], after["prediction"], atol=PRINTED)
    loss = module.total_loss(params, module.load_data(), cache)
    np.testing.assert_allclose(loss, after["sse_half"], atol=after["tolerance_sse"])
    np.testing.assert_allclose(history[0]["loss"], loss, rtol=1e-12)


def test_the_dead_unit_gets_no_gradient():
    module = script_of(SPECS / "power_plant_relu.nn")
    params, data = module.init_params(0, np.float64), module.load_data()
    assert (forward_values(module, params, data)["hidden1_z"][:, 1] <= 0).all()
    grads = module.loss_and_grads(params, data)[1]
    assert not grads["hidden1.W"][:, 1].any()
    assert not grads["hidden1.b"][1]


RUNS = [
    ("power_plant_by_hand", 0.2, BOOK["logistic"]["converged"]["epochs_float64_reference"]),
    *(("power_plant_relu", c["alpha"], c["epochs_float64_reference"]) for c in BOOK["relu"]["converged"]),
]


@pytest.mark.parametrize(("spec", "rate", "updates"), RUNS)
def test_how_many_updates_it_takes(spec, rate, updates):
    """The loss falls below 1e-4 with exactly this update, whatever an epoch's record calls its loss."""
    module = script_of(SPECS / f"{spec}.nn", sets=(f"lr={rate}",))
    data = module.load_data()
    params, history = module.train(epochs=updates - 1, dtype=np.float64)
    assert history.stopped_by == "epochs"
    assert module.total_loss(params, data, module.forward(params, data)[1]) >= 1e-4
    grads = module.loss_and_grads(params, data)[1]
    params = {name: w - rate * grads[name] for name, w in params.items()}
    outputs, cache = module.forward(params, data)
    assert module.total_loss(params, data, cache) < 1e-4
    if spec == "power_plant_by_hand":
        converged = BOOK["logistic"]["converged"]
        predictions, tolerance = converged["prediction_printed"], converged["tolerance_prediction"]
        np.testing.assert_allclose(outputs["y"][:, 0], predictions, atol=tolerance)


@pytest.mark.parametrize(("spec", "rate", "updates"), RUNS)
def test_the_stop_rule_ends_training_there(spec, rate, updates):
    """With all examples at once, an epoch's loss is that after its update: the count is the textbook's."""
    module = script_of(SPECS / f"{spec}.nn", sets=(f"lr={rate}",))
    _, history = module.train(dtype=np.float64)
    assert history.stopped_by == "loss < 0.0001"
    assert len(history) == updates
    assert history[-2]["loss"] >= 1e-4 > history[-1]["loss"]


def test_table_13():
    """The relu run whose predictions are printed: inputs normalised without rounding, targets of two decimals."""
    table = BOOK["relu"]["table13"]
    module = script_of(SPECS / "power_plant_relu.nn", sets=("lr=0.2",))
    raw, low, high = (np.array(BOOK[key])[..., :2] for key in ("raw", "min", "max"))
    data = {"d": (raw - low) / (high - low), "t": np.array(table["target"])[:, None]}
    params, history = module.train(data, dtype=np.float64)
    predictions = module.predict(params, {"d": data["d"]})["y"][:, 0]
    np.testing.assert_allclose(predictions, table["prediction_printed"], atol=table["tolerance_prediction"])
    assert history[-1]["loss"] < 1e-4
    printed = np.array(table["prediction_printed"])  # the lecture adds up what it printed
    np.testing.assert_allclose(0.5 * ((data["t"][:, 0] - printed) ** 2).sum(), table["sse_printed"], atol=1e-8)
