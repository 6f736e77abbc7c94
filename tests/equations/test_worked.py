"""The tables of the lectures, each from one `dotnn explain --example N`."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support import SPECS

from dotnn.cli import main

GOLDEN = Path(__file__).parents[1] / "golden"
BOOK = json.loads((GOLDEN / "textbook.json").read_text())
LSTM = json.loads((GOLDEN / "lstm.json").read_text())
PRINTED = 6e-5  # four decimals
NEURONS = {3: ("1", 0), 4: ("1", 1), 5: ("1", 2), 6: ("2", 0), 7: ("2", 1), 8: ("3", 0)}
LAYERS = {"1": "hidden1", "2": "hidden2", "3": "y"}


def explained(spec, *options, folder):
    """The tables of the Markdown that the command writes: rows by title, a row as a dict by head."""
    path = folder / f"explained{len(list(folder.iterdir()))}.md"
    done = CliRunner().invoke(main, ["explain", str(spec), "--digits", "12", *options, "-o", str(path)])
    assert done.exit_code == 0, done.output
    return tables(path.read_text())


def tables(text):
    found = {}
    for block in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title, *lines = block.split("\n")
        rows = [[unescaped(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if line[:1] == "|"]
        if rows:
            found[title] = [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]
    return found


def unescaped(cell):
    return re.sub(r"\\(.)", r"\1", cell.strip())


def unit(rows, neuron, head):
    layer, place = NEURONS[int(neuron)]
    return next(float(row[head]) for row in rows if row["l"] == layer and row["unit"] == f"[{place}]")


def weight(rows, to, source):
    """The row of the connection `to,source` of the lecture; source 0 is the bias, 1 and 2 are the inputs."""
    layer, place = NEURONS[to]
    before = source - 1 if source < 3 else NEURONS.get(source, (0, 0))[1]
    name, at = (f"{LAYERS[layer]}.b", f"[{place}]") if source == 0 else (f"{LAYERS[layer]}.W", f"[{before},{place}]")
    return next(row for row in rows if (row["parameter"], row["place"]) == (name, at))


@pytest.fixture(scope="module")
def logistic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logistic")
    spec = SPECS / "power_plant_by_hand.nn"
    return [explained(spec, "--example", str(number), folder=folder) for number in (1, 2, 3, 4)]


def test_table_5(logistic):
    """z, a and da/dz of every neuron for the example d2."""
    printed, rows = BOOK["power_plant"]["logistic"]["d2"], logistic[1]["Units"]
    for neuron, z in printed["z"].items():
        assert unit(rows, neuron, "z") == pytest.approx(z, abs=printed["tolerance_z"])
    for head, numbers in (("a", printed["a"]), ("∂a/∂z", printed["da_dz"]), ("δ", printed["delta"])):
        for neuron, number in numbers.items():
            assert unit(rows, neuron, head) == pytest.approx(number, abs=PRINTED), (neuron, head)


def test_table_6(logistic):
    """The gradient of every weight for d2 is the product of what stands beside it."""
    printed, rows = BOOK["power_plant"]["logistic"]["d2"], logistic[1]["Weights and their update"]
    for connection, gradient in printed["dE_dw"].items():
        row = weight(rows, *map(int, connection.split(",")))
        share = float(row["∂E/∂w of example 2"])
        assert share == pytest.approx(gradient, abs=printed["tolerance_dE_dw"]), connection
        assert share == pytest.approx(float(row["a"]) * float(row["δ"]), abs=1e-11)
    assert len(rows) == len(printed["dE_dw"])


def test_the_update_of_w_7_5(logistic):
    """Table 7 and Eq. 45: the sum over the examples, and the weight after one update."""
    printed = BOOK["power_plant"]["logistic"]
    rows = [weight(found["Weights and their update"], 7, 5) for found in logistic]
    shares = [float(row[f"∂E/∂w of example {number}"]) for number, row in enumerate(rows, 1)]
    np.testing.assert_allclose(shares, printed["dE_dw_7_5_per_example"], atol=printed["tolerance_delta_w"])
    assert float(rows[0]["∂E/∂w of all"]) == pytest.approx(sum(shares), abs=1e-11)
    assert float(rows[0]["∂E/∂w of all"]) == pytest.approx(printed["delta_w_7_5"], abs=printed["tolerance_delta_w"])
    assert float(rows[0]["w after"]) == pytest.approx(printed["w_7_5_after_one_update"], abs=printed["tolerance_w"])


def test_predictions(logistic):
    printed = BOOK["power_plant"]["logistic"]["prediction"]
    found = [unit(tables["Units"], 8, "a") for tables in logistic]
    np.testing.assert_allclose(found, printed, atol=PRINTED)


def test_tables_10_and_12(tmp_path):
    """The same network with rectified linear units: z and δ of d2, of the dead neuron too."""
    printed = BOOK["power_plant"]["relu"]["d2"]
    found = explained(SPECS / "power_plant_relu.nn", "--example", "2", "--set", "lr=0.2", folder=tmp_path)
    for neuron, z in printed["z"].items():
        assert unit(found["Units"], neuron, "z") == pytest.approx(z, abs=printed["tolerance_z"])
        assert unit(found["Units"], neuron, "∂a/∂z") == (z > 0)
    for neuron, delta in printed["delta"].items():
        assert unit(found["Units"], neuron, "δ") == pytest.approx(delta, abs=printed["tolerance_delta"])
    for row in found["Weights and their update"]:
        product = float(row["a"]) * float(row["δ"])
        assert float(row["∂E/∂w of example 2"]) == pytest.approx(product, abs=1e-11)


def written(folder, text, **arrays):
    """A spec beside the files that it names."""
    for name, values in arrays.items():
        np.savez(folder / f"{name}.npz", **values)
    spec = folder / "spec.nn"
    spec.write_text(text)
    return spec


def test_table_15(tmp_path):
    table = BOOK["softmax"]["table15"]
    spec = written(
        tmp_path,
        f"""model M {{ input z: [3]  target t: [3]  output p = softmax(z) }}
        data {{ z = [{table["logits"]}]  t = [[1, 0, 0]] }}
        train {{ loss = cross_entropy(p, t)  batch = all }}""",
    )
    rows = explained(spec, "--example", "1", folder=tmp_path)["Units"]
    np.testing.assert_allclose([float(row["a"]) for row in rows], table["softmax"], atol=1e-9)


def test_table_16(tmp_path):
    """Softmax activations and δ of the three output neurons for four examples, and the update of w 9,6."""
    table = BOOK["softmax"]["table16"]

    def columns(name):
        return np.array([table[name][neuron] for neuron in ("8", "9", "10")], float).T

    a6, w = np.array(table["a6"])[:, None], np.array([[0.3, table["w_9_6"], -0.2]])
    data = {"a6": a6, "rest": columns("logits_per_neuron") - a6 @ w, "t": columns("one_hot")}
    spec = written(
        tmp_path,
        """model Softmax {
          input  a6: [1]
          input  rest: [3]
          target t: [3]
          through = a6 -> dense(3, bias = false, init = file("weights.npz"))
          z = through + rest
          output p = softmax(z)
        }
        data  { source = npz("data.npz", a6 = a6, rest = rest, t = t) }
        train { loss = cross_entropy(p, t, reduce = sum)  optim = sgd(0.01)  batch = all }""",
        data=data,
        weights={"through.W": w},
    )
    for number in range(4):
        found = explained(spec, "--example", str(number + 1), folder=tmp_path)
        units = {(row["value"], row["unit"]): row for row in found["Units"]}
        places = [f"[{place}]" for place in range(3)]
        np.testing.assert_allclose(
            [float(units["p", at]["a"]) for at in places], columns("softmax")[number], atol=PRINTED
        )
        deltas = [float(units["through", at]["δ"]) for at in places]
        np.testing.assert_allclose(deltas, columns("delta")[number], atol=PRINTED)
    row = next(r for r in found["Weights and their update"] if r["place"] == "[0,1]")
    assert float(row["∂E/∂w of all"]) == pytest.approx(table["delta_w_9_6"], abs=table["tolerance"])
    assert float(row["w after"]) == pytest.approx(table["w_9_6_after"], abs=table["tolerance"])


@pytest.mark.parametrize("case", BOOK["cnn"]["cases"], ids=range(len(BOOK["cnn"]["cases"])))
def test_the_maps_of_the_four(case, tmp_path):
    """Eq. 92 to 109: the feature maps, place by place where there are few, else by norm."""
    image = np.array(BOOK["cnn"]["image_6x6"], float)[..., None]
    size = 4 + 2 * case["padding"]
    layer = f'conv2d(1, 3, relu, pad = {case["padding"]}, bias = false, init = file("weights.npz"))'
    spec = written(
        tmp_path,
        f"""model Four {{
          input  image: [6, 6, 1]
          target t: [{size}, {size}, 1]
          output map = image -> {layer}
        }}
        data  {{ source = npz("data.npz", image = image, t = t) }}
        train {{ loss = half_sse(map, t)  batch = all }}""",
        data={"image": image[None], "t": np.zeros((1, size, size, 1))},
        weights={"map.W": np.array(case["filter"], float)[..., None, None]},
    )
    found = explained(spec, "--example", "1", folder=tmp_path)
    if "Units" in found:
        places = {row["unit"]: float(row["a"]) for row in found["Units"]}
        for at in np.ndindex(np.shape(case.get("map", []))):
            assert places[f"[{at[0]},{at[1]},0]"] == case["map"][at[0]][at[1]]
        for at, value in case.get("cells", {}).items():
            assert places[f"[{at},0]"] == value
    else:
        (row,) = found["Large layers, by norm"]
        assert float(row["‖a‖"]) == pytest.approx(np.linalg.norm(case["map"]), rel=1e-10)


CELL = """
model Cell {
  input  x: [1]
  input  h_before: [2]
  input  c_before: [2]
  target h_wanted: [2]
  target c_wanted: [2]
  hx = concat(h_before, x)
  f = hx -> dense(2, sigmoid)
  i = (hx -> dense(2, sigmoid)) * (hx -> dense(2, tanh))
  c = f * c_before + i
  o = hx -> dense(2, sigmoid)
  squashed = c -> tanh
  h = o * squashed
  output y = h
  output memory = c
}
data {
  source = npz("data.npz", x = x, h_before = h_before, c_before = c_before, h_wanted = h_wanted, c_wanted = c_wanted)
}
train {
  loss = half_sse(memory, c_wanted, reduce = sum) + half_sse(y, h_wanted, reduce = sum)
  init = file("weights.npz")
  bias_init = file("weights.npz")
  batch = all
}
"""


def test_the_backward_pass_of_an_lstm(tmp_path):
    """Eq. 138 to 144: what comes back to every gate of a step, and the gradient of the forget gate's weights."""
    book = {k: np.array(v) if isinstance(v, list) else v for k, v in LSTM["backward"].items()}
    f = 0.5 - np.sqrt(0.25 - book["f_times_1_minus_f"])
    c = np.arctanh(np.sqrt(1 - book["one_minus_tanh2_c"]))
    g = (c - f * book["c_prev"]) / 0.5  # with an input gate that is half open
    zeros, hx = np.zeros((3, 2)), book["hx"][1:]
    wf = np.random.default_rng(0).normal(size=(3, 2))
    weights = {"f.W": wf, "f.b": logit(f) - hx @ wf, "o.W": zeros, "o.b": logit(book["o_dagger"])}
    weights |= {"i.dense1.W": zeros, "i.dense1.b": zeros[0], "i.dense2.W": zeros, "i.dense2.b": np.arctanh(g)}
    h = book["o_dagger"] * np.tanh(c)
    data = {"x": book["x"], "h_before": book["h_prev"], "c_before": book["c_prev"]}
    data |= {"h_wanted": h - book["dE_next_dh"] - book["dE_t_do"], "c_wanted": c - book["dE_next_dc"]}
    spec = written(tmp_path, CELL, data={name: rows[None] for name, rows in data.items()}, weights=weights)
    found = explained(spec, "--example", "1", folder=tmp_path)
    rows = found["Units"]

    def column(value, head):
        return [float(row[head]) for row in rows if row["value"] == value]

    near = {"rtol": 0, "atol": book["tolerance"]}
    np.testing.assert_allclose(column("h", "∂E/∂a"), book["dE_do"], **near)
    np.testing.assert_allclose(column("squashed", "∂E/∂a"), book["dE_do_ddagger"], **near)
    np.testing.assert_allclose(column("c", "∂E/∂a"), book["dE_dc"], **near)
    np.testing.assert_allclose(column("f", "∂E/∂a"), book["dE_df"], **near)
    np.testing.assert_allclose(column("f", "∂a/∂z"), book["f_times_1_minus_f"], **near)
    np.testing.assert_allclose(column("f", "δ"), book["delta_f"], **near)
    gradient = {(r["parameter"], r["place"]): float(r["∂E/∂w"]) for r in found["Weights and their update"]}
    for unit_ in range(2):
        of_unit = [gradient["f.b", f"[{unit_}]"], *(gradient["f.W", f"[{k},{unit_}]"] for k in range(3))]
        np.testing.assert_allclose(of_unit, book["delta_W_f"][unit_], **near)


GRU = """
model G {
  input  x: [4, 1]
  target t: [1]
  h = x -> gru(3RECOMPUTE)
  output y = h -> dense(1)
}
data  { x = [[[0.5], [-1], [2], [0.1]], [[1], [0.3], [-0.7], [0.2]]]  t = [[1], [0]] }
train { loss = half_sse(y, t)  batch = all }
"""


def test_states_that_are_computed_again(tmp_path):
    """The tables of a recurrent layer: it has no pre-activation, and `recompute` changes none of its numbers."""
    plain, again = (
        explained(written(tmp_path, GRU.replace("RECOMPUTE", said)), "--example", "2", folder=tmp_path)
        for said in ("", ", recompute = 2")
    )
    a = [float(row["a"]) for row in plain["Units"] if row["value"] == "h"]
    assert [row["z"] for row in plain["Units"]][:3] == [""] * 3
    weights = plain["Weights and their update"]
    w = [float(row["w"]) for row in weights if row["parameter"] == "y.W"]
    b = next(float(row["w"]) for row in weights if row["parameter"] == "y.b")
    z = next(float(row["z"]) for row in plain["Units"] if row["value"] == "y")
    assert z == pytest.approx(np.dot(a, w) + b, abs=1e-11)
    for title in ("Units", "Weights and their update"):
        for one, other in zip(plain[title], again[title], strict=True):
            assert one.keys() == other.keys()
            for head in one:
                assert one[head] == other[head] or float(one[head]) == pytest.approx(float(other[head]), abs=1e-10)


def logit(p):
    return np.log(p / (1 - p))
