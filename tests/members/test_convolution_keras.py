"""Convolution, pooling and resizing against Keras: outputs and gradients on the same weights, in double precision.

The arguments are drawn at random: sizes that no stride divides, kernels that are not square, borders on one side.
"""

import numpy as np
import pytest
from support import STYLES, module_of

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
from keras import layers as L  # noqa: E402

CASES = 8
"""Draws of arguments per kind of layer."""


def _pick(rng, *choices):
    return choices[rng.integers(len(choices))]


def _lengths(rng, rank, least):
    return tuple(int(n) for n in rng.integers(least, least + 6, rank))


def _numbers(rng, rank, low, high):
    return tuple(int(n) for n in rng.integers(low, high + 1, rank))


def _text(numbers):
    return f"[{', '.join(map(str, numbers))}]"


def _convolution(rank):
    def draw(rng):
        """A convolution with a stride or a dilation, groups, and a border of every kind."""
        lengths, kernel = _lengths(rng, rank, 7), _numbers(rng, rank, 1, 4)
        groups = _pick(rng, 1, 1, 2, 3)
        channels, filters = groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
        stride, dilation = _numbers(rng, rank, 1, 3), (1,) * rank
        if rng.random() < 0.4:
            stride, dilation = dilation, _numbers(rng, rank, 1, 2)
        bias, act = bool(rng.integers(2)), _pick(rng, "tanh", "relu", "linear")
        pad = _pick(rng, "valid", "same", [list(map(int, rng.integers(0, 3, 2))) for _ in range(rank)])
        call = (
            f"conv{rank}d({filters}, {_text(kernel)}, {act.replace('linear', 'identity')}, stride = {_text(stride)},"
            f" pad = {pad}, dilation = {_text(dilation)}, groups = {groups}, bias = {str(bias).lower()})"
        )
        layer = (L.Conv1D if rank == 1 else L.Conv2D)(
            filters, kernel, stride, "valid" if isinstance(pad, list) else pad, dilation_rate=dilation, groups=groups,
            activation=act, use_bias=bias, dtype="float64",
        )  # fmt: skip
        border = [] if isinstance(pad, str) else [_border(rank, pad)]
        return (*lengths, channels), call, [*border, layer]

    return draw


def _border(rank, pad):
    return (
        L.ZeroPadding1D(tuple(pad[0]), dtype="float64")
        if rank == 1
        else L.ZeroPadding2D(tuple(map(tuple, pad)), dtype="float64")
    )


def _transposed(rank):
    def draw(rng):
        lengths, kernel, stride = _lengths(rng, rank, 2), _numbers(rng, rank, 1, 4), _numbers(rng, rank, 1, 3)
        pad, filters = _pick(rng, "valid", "same"), int(rng.integers(1, 4))
        call = f"conv{rank}d_transpose({filters}, {_text(kernel)}, tanh, stride = {_text(stride)}, pad = {pad})"
        layer = L.Conv1DTranspose if rank == 1 else L.Conv2DTranspose
        return (*lengths, 2), call, [layer(filters, kernel, stride, pad, activation="tanh", dtype="float64")]

    return draw


def _depthwise(rng):
    kernel, times = _numbers(rng, 2, 1, 4), int(rng.integers(1, 4))
    stride, pad = int(rng.integers(1, 3)), _pick(rng, "valid", "same")
    call = f"depthwise_conv2d({_text(kernel)}, relu, {stride}, {pad}, multiplier = {times})"
    layer = L.DepthwiseConv2D(kernel, stride, pad, times, activation="relu", dtype="float64")
    return (*_lengths(rng, 2, 5), 3), call, [layer]


def _pooling(name, layers):
    def draw(rng):
        rank = int(rng.integers(1, 3))
        window, stride = _numbers(rng, rank, 1, 4), _numbers(rng, rank, 1, 3)
        pad = _pick(rng, "valid", "same")
        layer = layers[rank - 1](window, stride, pad, dtype="float64")
        return (*_lengths(rng, rank, 5), 2), f"{name}({_text(window)}, {_text(stride)}, {pad})", [layer]

    return draw


def _plain(name, *layers, argument=False):
    def draw(rng):
        rank = int(rng.integers(1, 3))
        numbers = _numbers(rng, rank, 1, 3)
        given = (numbers if rank == 2 else numbers[0],) if argument else ()
        call = f"{name}({_text(numbers)})" if argument else name
        return (*_lengths(rng, rank, 3), 2), call, [layers[rank - 1](*given, dtype="float64")]

    return draw


DRAWS = {
    "conv1d": _convolution(1),
    "conv2d": _convolution(2),
    "conv1d_transpose": _transposed(1),
    "conv2d_transpose": _transposed(2),
    "depthwise_conv2d": _depthwise,
    "maxpool": _pooling("maxpool", (L.MaxPooling1D, L.MaxPooling2D)),
    "avgpool": _pooling("avgpool", (L.AveragePooling1D, L.AveragePooling2D)),
    "maxpool_global": _plain("maxpool_global", L.GlobalMaxPooling1D, L.GlobalMaxPooling2D),
    "avgpool_global": _plain("avgpool_global", L.GlobalAveragePooling1D, L.GlobalAveragePooling2D),
    "zeropad": _plain("zeropad", L.ZeroPadding1D, L.ZeroPadding2D, argument=True),
    "upsample": _plain("upsample", L.UpSampling1D, L.UpSampling2D, argument=True),
}


def by_keras(layers, x, t, weights):
    """The output of a stack of layers, the mean squared error's gradients by x and by the weights."""
    y = x = tf.constant(x)
    for layer in layers:
        y = layer(y)
    variables = [v for layer in layers for v in layer.trainable_weights]
    for variable, value in zip(variables, weights, strict=True):
        variable.assign(value)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for layer in layers:
            y = layer(y)
        loss = tf.reduce_mean((y - t) ** 2)
    return [y.numpy(), *(g.numpy() for g in tape.gradient(loss, [x, *(v.value for v in variables)]))]


@pytest.mark.parametrize("seed", range(CASES))
@pytest.mark.parametrize("name", DRAWS)
def test_as_keras(name, seed):
    rng = np.random.default_rng([seed, *name.encode()])
    shape, call, layers = DRAWS[name](rng)
    example = keras.Sequential(layers).compute_output_shape((1, *shape))[1:]
    x, t = rng.standard_normal((3, *shape)), rng.standard_normal((3, *example))
    spec = f"model M {{ input x: {_text(shape)}  target t: {_text(example)}  output y = x -> {call} }}"
    for style in STYLES:
        module = module_of(f"{spec} train {{ loss = mse(y, t) }}", style, input_gradients=True)
        params = {key: rng.standard_normal(s) for key, s in module.PARAMS.items()}
        theirs = by_keras(layers, x, t, list(params.values()))
        outputs, _ = module.forward(params, {"x": x})
        _, grads = module.loss_and_grads(params, {"x": x, "t": t})
        ours = [outputs["y"], grads["x"], *(grads[key] for key in params)]
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine, other, rtol=0, atol=1e-9 * max(1, np.abs(other).max()), err_msg=call)
