"""The convolutions of lecture 002 (Eq. 90-109): the 6 x 6 image of a 4 under its filters, by compiled specs."""

import json
from pathlib import Path

import numpy as np
import pytest
from support import STYLES, script_of

BOOK = json.loads((Path(__file__).parent / "textbook.json").read_text())["cnn"]
FOUR = np.array(BOOK["image_6x6"], dtype=float)[None, :, :, None]


def module_with(tmp_path, layer, shape, out, weights):
    """The script of one layer whose weights stand in a file beside the spec."""
    np.savez(tmp_path / "weights.npz", **weights)
    spec = tmp_path / "filters.nn"
    spec.write_text(
        f"""model Filters {{
          input  image: {list(shape)}
          target t: {list(out)}
          output map = image -> {layer}
        }}
        train {{ loss = half_sse(map, t)  optim = sgd(0.1) }}"""
    )
    return script_of(spec, STYLES[-1], input_gradients=True)


@pytest.mark.parametrize("case", BOOK["cases"], ids=range(len(BOOK["cases"])))
def test_the_maps_of_the_four(case, tmp_path):
    """Cross-correlation without bias, relu behind; a padding of zeros where the lecture has one."""
    size = 6 - 2 + 2 * case["padding"]
    layer = f'conv2d(1, 3, relu, pad = {case["padding"]}, bias = false, init = file("weights.npz"))'
    kernel = np.array(case["filter"], dtype=float)[:, :, None, None]
    module = module_with(tmp_path, layer, (6, 6, 1), (size, size, 1), {"map.W": kernel})
    found = module.forward(module.init_params(0, np.float64), {"image": FOUR})[0]["map"][0, :, :, 0]
    if "map" in case:
        np.testing.assert_array_equal(found, case["map"])
    for place, value in case.get("cells", {}).items():
        assert found[tuple(map(int, place.split(",")))] == value


@pytest.mark.parametrize("padding", [0, 1])
def test_a_moved_image_gives_a_moved_map(padding, tmp_path):
    """Equivariance: convolution and translation change places, as far as the border does not come in."""
    filters = [case["filter"] for case in BOOK["cases"] if "map" in case and case["padding"] == 0]
    kernel = np.stack([np.array(f, dtype=float) for f in filters], axis=-1)[:, :, None]
    size = 4 + 2 * padding
    layer = f'conv2d(2, 3, relu, pad = {padding}, bias = false, init = file("weights.npz"))'
    module = module_with(tmp_path, layer, (6, 6, 1), (size, size, 2), {"map.W": kernel})

    def maps(image):
        return module.predict(module.init_params(0, np.float64), {"image": image})["map"]

    for rows, columns in [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 1)]:  # the 4 has one empty pixel around it
        moved = maps(np.roll(FOUR, (rows, columns), (1, 2)))
        expected = np.roll(maps(FOUR), (rows, columns), (1, 2))
        inner = (slice(None), *(slice(max(n, 0), size + min(n, 0)) for n in (rows, columns)))
        np.testing.assert_array_equal(moved[inner], expected[inner])
        assert (moved[inner] > 0).any()


def test_three_channels_and_a_bias(tmp_path):
    book = BOOK["rgb"]
    image, kernel = (np.moveaxis(np.array(book[name], dtype=float), 0, -1) for name in ("image", "filter"))
    weights = {"map.W": kernel[..., None], "map.b": np.array([book["bias"]])}
    layer = 'conv2d(1, 2, relu, init = file("weights.npz"), bias_init = file("weights.npz"))'
    module = module_with(tmp_path, layer, image.shape, (2, 2, 1), weights)
    found = module.forward(module.init_params(0, np.float64), {"image": image[None]})[0]["map"]
    np.testing.assert_array_equal(found[0, :, :, 0], book["map"])


@pytest.mark.parametrize("image", [FOUR, np.arange(36.0)[::-1].reshape(1, 6, 6, 1) * [[[[7]]]] % 36])
def test_max_pooling_sends_the_whole_gradient_to_the_maximum(image, tmp_path):
    """To the input that was the maximum, zero to the others; where several were, to the first."""
    module = module_with(tmp_path, "maxpool(2)", (6, 6, 1), (3, 3, 1), {})
    _, grads = module.loss_and_grads({}, {"image": image, "t": np.zeros((1, 3, 3, 1))})
    blocks = image.reshape(3, 2, 3, 2).transpose(0, 2, 1, 3).reshape(9, 4)
    expected = np.zeros((9, 4))
    expected[np.arange(9), blocks.argmax(axis=1)] = blocks.max(axis=1)
    found = grads["image"].reshape(3, 2, 3, 2).transpose(0, 2, 1, 3).reshape(9, 4)
    np.testing.assert_array_equal(found, expected)
