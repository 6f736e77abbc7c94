"""Recurrent layers beside Keras's: the same weights, outputs and gradients, in float64.

Ours come from compiled specs in both styles, theirs from TensorFlow's automatic differentiation.
"""

import numpy as np
import pytest
from support import STYLES, generic_point, module_of

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf
from keras import layers as L

BATCH, STEPS, FEATURES, UNITS = 3, 5, 2, 4
HEAD = f"model M {{ input x: [{STEPS}, {FEATURES}]"
DOUBLE = {"dtype": "float64"}
PARTS = {"rnn": ("W", "U", "b"), "lstm": ("W", "U", "b"), "gru": ("W", "U", "b", "b_U"), "before": ("W", "U", "b")}


def layer_of(kind, units=UNITS, **options):
    """Keras's layer of one of our kinds."""
    made = {
        "rnn": L.SimpleRNN,
        "lstm": L.LSTM,
        "gru": lambda *a, **k: L.GRU(*a, reset_after=True, **k),
        "before": lambda *a, **k: L.GRU(*a, reset_after=False, **k),
    }[kind]
    return made(units, **options, **DOUBLE)


def call(kind, units=UNITS, *options):
    """Our layer of that kind."""
    extra = [*options, "reset = before"] if kind == "before" else options
    return f"{'gru' if kind == 'before' else kind}({', '.join([str(units), *extra])})"


def give(layer, kind, params, prefix):
    """Set a built layer's weights to ours; the GRU's two biases are the rows of one array."""
    weights = [params[f"{prefix}.{name}"] for name in PARTS[kind]]
    layer.set_weights([*weights[:2], np.stack(weights[2:])] if kind == "gru" else weights)


def arrays(layer, kind, tensors):
    """Return arrays in the order of a layer's weights by our names."""
    found = [np.asarray(t) for t in tensors]
    return dict(zip(PARTS[kind], [*found[:2], *found[2]] if kind == "gru" else found, strict=True))


def compare(spec, used, network, style):
    """Train on half the squared output: compare outputs, and the gradients by all weights and by x.

    `used` maps the layers of `network`, a function of x (and a mask), to (kind, prefix of our names).
    """
    module = module_of(spec, style, input_gradients=True)
    params, batch = generic_point(module, 7, examples=BATCH)
    x = tf.constant(batch["x"])
    mask = tf.constant(batch["m"] != 0) if "m" in batch else None
    network(x, mask)
    for layer, (kind, prefix) in used.items():
        give(layer, kind, params, prefix)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = network(x, mask)
        loss = tf.reduce_sum((y - batch["t"]) ** 2) / 2
    outputs, _ = module.forward(params, batch)
    assert_close(outputs["y"], y.numpy(), "y")
    value, grads = module.loss_and_grads(params, batch)
    assert_close(value, loss.numpy(), "loss")
    assert_close(grads["x"], tape.gradient(loss, x).numpy(), "x")
    for layer, (kind, prefix) in used.items():
        theirs = arrays(layer, kind, tape.gradient(loss, layer.trainable_variables))
        for name, gradient in theirs.items():
            assert_close(grads[f"{prefix}.{name}"], gradient, f"{prefix}.{name}")


def assert_close(ours, theirs, name):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max(), err_msg=name)


def spec_of(target, *statements, mask=False):
    """A spec with half the squared error of y as its loss."""
    marks = f"input m: int[{STEPS}]" if mask else ""
    return "\n".join(
        [HEAD, marks, f"target t: [{target}]", *statements, "}", "train { loss = half_sse(y, t, reduce = sum) }"]
    )


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("returns", "masked"), [("last", False), ("last", True), ("sequence", True)])
@pytest.mark.parametrize("kind", PARTS)
def test_layer(kind, masked, returns, style):
    layer = layer_of(kind, return_sequences=returns == "sequence")
    operands = "x, m, " if masked else "x, "
    ours = call(kind, UNITS, f"returns = {returns}").replace("(", f"({operands}", 1)
    target = f"{STEPS}, {UNITS}" if returns == "sequence" else UNITS
    spec = spec_of(target, f"output y = {ours}", mask=masked)
    compare(spec, {layer: (kind, "y")}, lambda x, mask: layer(x, mask=mask), style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", PARTS)
def test_from_the_last_step_to_the_first(kind, style):
    """Keras hands the sequence of `go_backwards` out in the order of reading, ours keeps the order of time."""
    layer = layer_of(kind, return_sequences=True, go_backwards=True)
    spec = spec_of(f"{STEPS}, {UNITS}", f"output y = x -> {call(kind, UNITS, 'returns = sequence', 'reverse = true')}")
    compare(spec, {layer: (kind, "y")}, lambda x, mask: layer(x)[:, ::-1], style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("below", "above"), [("lstm", "gru"), ("rnn", "lstm"), ("gru", "rnn")])
def test_stacked(below, above, style):
    first, second = layer_of(below, 3, return_sequences=True), layer_of(above)
    spec = spec_of(UNITS, f"h = x -> {call(below, 3, 'returns = sequence')}", f"output y = h -> {call(above)}")
    compare(spec, {first: (below, "h"), second: (above, "y")}, lambda x, mask: second(first(x)), style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("returns", "masked"), [("last", True), ("sequence", False)])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_bidirectional(kind, returns, masked, style):
    """Keras's wrapper; ours is two layers side by side. A mask hides the padding in both directions.

    In a sequence under a mask the wrapper, and it alone, puts zeros where the padding is.
    """
    both = L.Bidirectional(layer_of(kind, return_sequences=returns == "sequence"), **DOUBLE)
    options, operands = f"returns = {returns}", "(x, m, " if masked else "(x, "
    there = call(kind, UNITS, options).replace("(", operands, 1)
    back = call(kind, UNITS, options, "reverse = true").replace("(", operands, 1)
    target = f"{STEPS}, {2 * UNITS}" if returns == "sequence" else 2 * UNITS
    spec = spec_of(target, f"a = {there}", f"b = {back}", "output y = concat(a, b)", mask=masked)
    both.build((BATCH, STEPS, FEATURES))
    used = {both.forward_layer: (kind, "a"), both.backward_layer: (kind, "b")}
    compare(spec, used, lambda x, mask: both(x, mask=mask), style)


@pytest.mark.parametrize("kind", PARTS)
def test_other_activations(kind):
    options = {} if kind == "rnn" else {"recurrent_activation": "tanh"}
    layer = layer_of(kind, activation="relu", **options)
    ours = call(kind, UNITS, "act = relu", *([] if kind == "rnn" else ["gate = tanh"]))
    compare(spec_of(UNITS, f"output y = x -> {ours}"), {layer: (kind, "y")}, lambda x, mask: layer(x), "fast")


def test_what_keras_starts_from():
    """The shapes, and the forget gate's bias of one."""
    module = module_of(spec_of(UNITS, f"output y = x -> {call('lstm')}"))
    layer = keras.layers.LSTM(UNITS)
    layer.build((BATCH, STEPS, FEATURES))
    ours = module.init_params(0, np.float64)
    assert [w.shape for w in ours.values()] == [w.shape for w in layer.get_weights()]
    np.testing.assert_array_equal(ours["y.b"], layer.get_weights()[2])
