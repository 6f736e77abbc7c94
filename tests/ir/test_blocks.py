"""Large products in blocks, and values that are held with the examples first: the numbers of the explain style."""

import numpy as np
import pytest
from support import module_of

from dotnn_runtime.script.buffers import aligned, count_of_blocks, in_blocks
from dotnn_runtime.script.selfcheck import generic_batch

WIDE = """model Wide {{
  input  x: [400]
  target t: {target}
  {body}
}}
train {{ loss = {loss}  batch = 96 }}
"""
BODIES = {
    "a chain": "h = x -> dense(64, relu) -> dense(130, tanh)\n  output y = h -> dense(5, softmax)",
    "beside each other": "a = x -> dense(64, sigmoid)\n  b = a -> dense(64, relu)\n  h = a + b * a\n"
    "  output y = h -> dense(5, softmax)",
    "of two inputs": "a = x -> dense(64)\n  b = x -> dense(64, elu)\n  output y = relu(a - b) -> dense(5, softmax)",
    "joined": "a = x -> dense(64, tanh)\n  b = x -> dense(40, relu)\n  output y = concat(a, b) -> dense(5, softmax)",
    "dropped and normalised": "h = x -> dense(64, relu) -> dropout(30%) -> dense(96) -> batchnorm -> relu\n"
    "  output y = h -> dense(5, softmax)",
    "at the end": "output y = x -> dense(48, softmax)",
    "handed out": "output h = x -> dense(64, softplus)\n  output y = h -> dense(5, softmax)",
}
FEATURES_FIRST = ("joined", "at the end")
"""Where what an input is multiplied into has its features first all the same."""
RECURRENT = """model Steps {{
  input  x: [4, 30]
  target t: class[5]
  output y = x -> {layer} -> dense(5, softmax)
}}
train {{ loss = cross_entropy(y, t)  batch = 96 }}
"""


def spec(body: str) -> str:
    classes = 48 if "48" in body else 5
    return WIDE.format(body=body, target=f"class[{classes}]", loss="cross_entropy(y, t)")


SPECS = {name: spec(body) for name, body in BODIES.items()}
SPECS |= {layer: RECURRENT.format(layer=f"{layer}(96)") for layer in ("lstm", "gru", "rnn")}


@pytest.mark.parametrize("name", SPECS)
def test_large_products_have_the_numbers_of_explain(name: str):
    plain, fast = (module_of(SPECS[name], style) for style in ("explain", "fast"))
    counts = []
    fast.count_of_blocks = lambda *sizes: counts.append(count_of_blocks(*sizes)) or counts[-1]
    rng = np.random.default_rng(1)
    params = plain.init_params(0, np.float64)
    batch = generic_batch({**plain.INPUTS, **plain.TARGETS}, rng, 96)
    (loss, grads), (expected, slopes) = (
        script.loss_and_grads(params, batch, rng=np.random.default_rng(7)) for script in (fast, plain)
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    largest = max(np.abs(slope).max() for slope in slopes.values())
    for path, slope in slopes.items():
        np.testing.assert_allclose(grads[path], slope, rtol=1e-9, atol=1e-13 * largest, err_msg=path)
    inputs = {key: batch[key] for key in plain.INPUTS}
    ours, theirs = fast.predict(params, inputs), plain.predict(params, inputs)
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-11, atol=1e-13, err_msg=key)
    assert name in FEATURES_FIRST or max(counts) > 1, "no product is cut into blocks: the test is of nothing"


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("sizes", [(96, 400, 64), (512, 161, 64), (784, 128, 128), (97, 400, 64), (8, 9, 1), (0, 4, 0)])
def test_blocks_are_views_of_all_rows(sizes: tuple[int, int, int], turned: bool):
    """A block has at most a million multiplications and at least eight rows; a product in blocks is the product."""
    rows, inner, columns = sizes
    count = count_of_blocks(*sizes)
    assert count == 1 or (rows % count == 0 and rows // count >= 8 and rows // count * inner * columns <= 10**6)
    rng = np.random.default_rng(0)
    left = rng.standard_normal((inner, rows)).T if turned else rng.standard_normal((rows, inner))
    right, out = rng.standard_normal((inner, columns)), np.empty((rows, columns))
    np.matmul(in_blocks(left, count), right, out=in_blocks(out, count))
    np.testing.assert_allclose(out, left @ right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, bool, int])
@pytest.mark.parametrize("shape", [(), (3,), (5, 7), (2, 0, 3)])
def test_arrays_start_at_a_line_of_the_cache(shape: tuple[int, ...], dtype: type):
    for _ in range(20):
        array, ones = aligned(shape, dtype), aligned(shape, dtype, 1)
        for made in (array, ones):
            assert (made.shape, made.dtype) == (shape, dtype)
            assert made.ctypes.data % 64 == 0 or not made.size
            assert made.flags.c_contiguous and made.flags.writeable
        array[...] = 0
        np.testing.assert_array_equal(ones, np.ones(shape))


def test_the_arrays_of_a_step_start_there(monkeypatch: pytest.MonkeyPatch):
    script, made = module_of(WIDE.format(target="[5]", body=BODIES["a chain"], loss="mse(y, t)"), style="fast"), []
    monkeypatch.setattr(script, "aligned", lambda *of: made.append(aligned(*of)) or made[-1])
    batch = generic_batch({**script.INPUTS, **script.TARGETS}, np.random.default_rng(0), 96)
    script.loss_and_grads(script.init_params(0), batch)
    assert len(made) > 5 and all(array.ctypes.data % 64 == 0 for array in made)
