"""Every member of every registry, alone: a new op, layer, loss, optimizer, … is tested as soon as it exists.

What cannot be known from the registry (a sample call, the formula by an independent source) stands in a table here;
a member that is missing from its table fails the test, and so cannot be forgotten.
"""

import math

import numpy as np
import pytest
from scipy import special
from sklearn import metrics as reference
from support import STYLES, assert_gradients, complex_gradient, generic_point, model_of, module_of

from dotnn.driver import lower
from dotnn.inits import INITS
from dotnn.ir.builder import GraphBuilder
from dotnn.ir.interpret import evaluate, run
from dotnn.layers import LAYERS
from dotnn.losses import LOSSES
from dotnn.metrics import METRICS
from dotnn.ops import OPS
from dotnn.ops.base import BATCH
from dotnn.optimizers import OPTIMIZERS
from dotnn.penalties import PENALTIES
from dotnn.schema import REQUIRED
from dotnn_runtime.script.split import split_indices

# --------------------------------------------------------------------------------------------------------- layers

ARGUMENTS = {
    "a positive whole number": "3",
    "a number": "0.7",
    "a number from 0 up to, but not including, 1": "0.4",
}
CALLS = {
    "select": ["select(x -> dense(2), u, v)", "select(x -> dense(3), u, v, u -> tanh)"],
    "spread": ["x -> sum_features -> spread(3)"],
    "reshape": ["x -> reshape([2, 2]) -> dense(2) -> reshape([4])"],
    "dense": ["x -> dense(3)", "x -> dense(3, tanh, bias = false)", "table -> dense(2, prelu, penalty = l2(0.1))"],
}


def calls(layer):
    """Sample uses of a layer on `x`, `u` and `v`, all of four features, and on the table of 2 by 3."""
    if layer.name in CALLS:
        return CALLS[layer.name]
    required = [ARGUMENTS[arg.kind.expected] for arg in layer.args if arg.default is REQUIRED]
    operands = ["x", "u", "v"][: layer.arity[1] or 3]
    found = [f"{layer.name}({', '.join([*operands, *required])})"]
    if layer.arity == (1, 1):
        found.append(f"{layer.name}({', '.join(['table', *required])})")
    return found


def layer_spec(call):
    """A network around one use of a layer; its output is as wide as need be, and trainable layers stand around it."""
    return f"""model M {{
      input  raw: [4]
      input  table: [2, 3]
      target t: [1]
      x = raw -> dense(4)
      u = raw -> dense(4, tanh)
      v = raw -> dense(4, sigmoid)
      made = {call}
      all  = concat(made -> flatten, x, u, v, table -> flatten)
      output y = all -> dense(1)
    }}
    train {{ loss = mse(y, t) }}"""


LAYER_SPECS = [(name, layer_spec(call)) for name, layer in LAYERS.items() for call in calls(layer)]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("name", "spec"), LAYER_SPECS)
def test_layer(name, spec, style):
    module = module_of(spec, style, input_gradients=True)
    assert_gradients(module, *generic_point(module, 1), rng_seed=1)


# --------------------------------------------------------------------------------------------------------- losses


def _rows(t, y):
    return np.eye(y.shape[-1])[t] if t.ndim == 1 else t


FORMULAS = {
    "half_sse": lambda y, t: 0.5 * np.sum((t - y) ** 2),
    "sse": lambda y, t: np.sum((t - y) ** 2),
    "mse": reference.mean_squared_error,
    "l1": reference.mean_absolute_error,
    "huber": lambda y, t: special.huber(1, y - t).mean(),
    "bce": lambda y, t: np.mean(special.xlogy(-t, y) - special.xlog1py(1 - t, -y)),
    "cross_entropy": lambda y, t: -special.xlogy(_rows(t, y), y).sum(axis=-1).mean(),
    "hinge": lambda y, t: np.mean([reference.hinge_loss(t[:, k], y[:, k]) for k in range(3)]),
    "perceptron": lambda y, t: -np.sum((t * y)[t * y < 0]),
}
"""Each loss with its defaults, by another library or written out, of three features."""

STAGES = {"unit": ["-> sigmoid", "-> sigmoid -> scale(0.9)"], "class": ["-> softmax", "-> softmax -> scale(0.9)"]}
"""Ways to a probability: one that is fused with the loss, and one that is not."""


def loss_spec(call, target, stage):
    return f"""model M {{ input x: [4]  target t: {target}  output y = x -> dense(3) {stage} }}
    train {{ loss = {call} }}"""


def loss_specs():
    for name, loss in LOSSES.items():
        for target in ["class[3]", "[3]"] if loss.target == "class" else ["[3]"]:
            for stage in STAGES.get(loss.target, [""]):
                yield name, target, stage


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("name", "target", "stage"), [*loss_specs()])
@pytest.mark.parametrize("extra", ["", ", reduce = sum", ", reduce = mean"])
def test_loss(name, target, stage, extra, style):
    module = module_of(loss_spec(f"{name}(y, t{extra})", target, stage), style, input_gradients=True)
    params, batch = generic_point(module, 2)
    assert_gradients(module, params, batch)
    outputs, cache = module.forward(params, batch)
    expected = FORMULAS[name](outputs["y"], batch["t"])
    default = next(arg.default for arg in LOSSES[name].args if arg.name == "reduce")
    if extra and not extra.endswith(default):
        expected = expected * 5 if default == "mean" else expected / 5
    np.testing.assert_allclose(module.total_loss(params, batch, cache), expected, rtol=1e-10)
    np.testing.assert_allclose(module.loss_and_grads(params, batch)[0], expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "target", "stage", "formula"),
    [
        ("huber(y, t, 0.3)", "[3]", "", lambda y, t: special.huber(0.3, y - t).mean()),
        (
            "cross_entropy(y, t, 0.2)", "class[3]", "-> softmax",
            lambda y, t: -np.sum((0.8 * np.eye(3)[t] + 0.2 / 3) * np.log(y), axis=1).mean(),
        ),
        (
            "cross_entropy(y, t, 0.2)", "[3]", "-> softmax -> scale(0.9)",
            lambda y, t: -np.sum((0.8 * t + 0.2 / 3) * np.log(y), axis=1).mean(),
        ),
        ("0.3 * mse(y, t) + 2 * l1(y, t)", "[3]", "", lambda y, t: 0.3 * np.mean((y - t) ** 2) + 2 * abs(y - t).mean()),
    ],
)  # fmt: skip
def test_loss_with_arguments(call, target, stage, formula):
    module = module_of(loss_spec(call, target, stage), input_gradients=True)
    params, batch = generic_point(module, 3)
    assert_gradients(module, params, batch)
    outputs, cache = module.forward(params, batch)
    np.testing.assert_allclose(module.total_loss(params, batch, cache), formula(outputs["y"], batch["t"]), rtol=1e-10)


@pytest.mark.parametrize(("loss", "stage", "target"), [("bce", "sigmoid", "[3]"), ("cross_entropy", "softmax", "class[3]")])
def test_fused_losses_stay_finite(loss, stage, target):
    """Logits of ±1000 overflow exp; computed from the logits, the loss is their distance and its slope at most 1."""
    module = module_of(loss_spec(f"{loss}(y, t)", target, f"-> {stage}"))
    x = np.array([[1000.0, 0, 0, 0], [-1000.0, 0, 0, 0]])
    params = {"y.dense.W": np.eye(4, 3), "y.W": np.eye(4, 3), "y.b": np.zeros(3)}
    params = {name: params[name] for name in module.PARAMS}
    t = np.array([1, 0]) if target == "class[3]" else np.array([[0, 0, 0], [1.0, 0, 0]])
    value, grads = module.loss_and_grads(params, {"x": x, "t": t})
    expected = 1000 + math.log(2) / 2 if loss == "cross_entropy" else (2000 + 4 * math.log(2)) / 6
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    assert all(np.isfinite(grad).all() for grad in grads.values())


# ------------------------------------------------------------------------------------------------------ penalties

PENALTY_FORMULAS = {
    "l1": lambda w: 0.1 * np.abs(w).sum(),
    "l2": lambda w: 0.1 * (w**2).sum(),
    "weight_decay": lambda w: 0.0,
}


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty(name):
    text = "model M {{ input x: [4]  target t: [3]  output y = x -> dense(3{0}) }} train {{ loss = mse(y, t) {1} }}"
    plain = module_of(text.format("", ""))
    params, batch = generic_point(plain)
    for spec in (text.format("", f"decay = {name}(0.1)"), text.format(f", penalty = {name}(0.1)", "")):
        if "penalty" in spec and not PENALTIES[name].op:
            continue
        module = module_of(spec)
        assert_gradients(module, params, batch)
        loss = module.loss_and_grads(params, batch)[0] - plain.loss_and_grads(params, batch)[0]
        np.testing.assert_allclose(loss, PENALTY_FORMULAS[name](params["y.W"]), rtol=1e-12, atol=1e-15)


def test_weight_decay_acts_in_the_update():
    """w - lr decay w - lr g (Loshchilov and Hutter 2019), and not on biases."""
    text = """model M {{ input x: [2]  target t: [1]  output y = x -> dense(1, bias_init = constant(1)) }}
    train {{ loss = mse(y, t)  optim = sgd(0.1)  batch = all  {0} }}"""
    data = {"x": np.array([[1.0, 2.0]]), "t": np.array([[3.0]])}
    for style in STYLES:
        (plain, _), (decayed, _) = (
            module_of(text.format(extra), style).train(data, epochs=1, dtype=np.float64)
            for extra in ("", "decay = weight_decay(0.5)")
        )
        start = module_of(text.format("")).init_params(0, np.float64)
        np.testing.assert_allclose(decayed["y.W"], plain["y.W"] - 0.1 * 0.5 * start["y.W"], rtol=1e-12)
        np.testing.assert_allclose(decayed["y.b"], plain["y.b"], rtol=1e-12)


# ----------------------------------------------------------------------------------------------------- optimizers


def sgd(w, gradient, steps, lr, momentum=0.0, nesterov=False):
    """Sutskever et al. 2013, Eq. 1-4, with the look-ahead parameters as the ones that are stored."""
    velocity = 0.0
    for k in range(steps):
        g = gradient(w, k)
        before, velocity = velocity, momentum * velocity - lr * g
        # Their w' = w + mu v; in these, w'_new = w' - mu v_old + (1 + mu) v_new.
        w = w - momentum * before + (1 + momentum) * velocity if nesterov else w + velocity
    return w


def adam(w, gradient, steps, lr, beta1=0.9, beta2=0.999, epsilon=1e-7, decay=0.0):
    """Kingma and Ba 2015, Algorithm 1; with decay Loshchilov and Hutter 2019, Algorithm 2."""
    m = v = 0.0
    for k in range(steps):
        g = gradient(w, k)
        m, v = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g**2 - v)
        step = (m / (1 - beta1 ** (k + 1))) / (math.sqrt(v / (1 - beta2 ** (k + 1))) + epsilon)
        w = w - lr * step - lr * decay * w
    return w


def rmsprop(w, gradient, steps, lr, rho=0.9, epsilon=1e-7):
    """Tieleman and Hinton 2012, slide 29."""
    mean_square = 0.0
    for k in range(steps):
        g = gradient(w, k)
        mean_square = rho * mean_square + (1 - rho) * g**2
        w = w - lr * g / math.sqrt(mean_square + epsilon)
    return w


def adagrad(w, gradient, steps, lr, start=0.1, epsilon=1e-7):
    """Duchi et al. 2011, diagonal form."""
    total = start
    for k in range(steps):
        g = gradient(w, k)
        total += g**2
        w = w - lr * g / math.sqrt(total + epsilon)
    return w


UPDATES = {
    "sgd": (sgd, [{"lr": 0.05}, {"lr": 0.05, "momentum": 0.9}, {"lr": 0.05, "momentum": 0.9, "nesterov": True}]),
    "adam": (adam, [{"lr": 0.1}, {"lr": 0.1, "beta1": 0.7, "beta2": 0.9, "epsilon": 0.01}]),
    "adamw": (lambda *args, decay=0.004, **kw: adam(*args, decay=decay, **kw), [{"lr": 0.1}, {"lr": 0.1, "decay": 0.3}]),
    "rmsprop": (rmsprop, [{"lr": 0.1}, {"lr": 0.1, "rho": 0.5, "epsilon": 0.01}]),
    "adagrad": (adagrad, [{"lr": 0.1}, {"lr": 0.1, "start": 0.5, "epsilon": 0.01}]),
}
"""Each optimizer for one weight, written from its source, with the arguments to try."""


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [(name, arguments) for name in OPTIMIZERS for arguments in UPDATES.get(name, (None, [None]))[1]],
)
def test_optimizer(name, arguments, style):
    """y = w x with the loss (w x - t)², one example at a time in order, three times over."""
    given = ", ".join(f"{k} = {str(v).lower()}" for k, v in arguments.items())
    module = module_of(
        f"""model M {{ input x: [1]  target t: [1]  output y = x -> dense(1, bias = false, init = constant(0.7)) }}
        train {{ loss = sse(y, t)  optim = {name}({given})  batch = online  shuffle = false }}""",
        style,
    )
    x, t = [1.0, -0.5, 2.0, 0.3], [0.5, 1.0, -1.0, 2.0]
    data = {"x": np.array(x)[:, None], "t": np.array(t)[:, None]}
    params, _ = module.train(data, epochs=3, dtype=np.float64)
    gradient = lambda w, k: 2 * (w * x[k % 4] - t[k % 4]) * x[k % 4]  # noqa: E731
    np.testing.assert_allclose(params["y.W"], [[UPDATES[name][0](0.7, gradient, 12, **arguments)]], rtol=1e-10)


# --------------------------------------------------------------------------------------------------- initialisers

INIT_CALLS = {
    "uniform": ("uniform(-0.3, 0.9)", lambda n_in, n_out: (0.3, 1.2**2 / 12)),
    "normal": ("normal(0.2)", lambda n_in, n_out: (0, 0.04)),
    "constant": ("constant(0.1)", lambda n_in, n_out: (0.1, 0)),
    "zeros": ("zeros", lambda n_in, n_out: (0, 0)),
    "xavier": ("xavier", lambda n_in, n_out: (0, 2 / (n_in + n_out))),
    "xavier_in": ("xavier_in", lambda n_in, n_out: (0, 1 / n_in)),
    "he": ("he", lambda n_in, n_out: (0, 2 / n_in)),
    "orthogonal": ("orthogonal", lambda n_in, n_out: (0, 1 / max(n_in, n_out))),
}
"""A call of each initialiser, and the mean and the variance it promises; `file` is met in tests/golden."""


@pytest.mark.parametrize("name", [name for name in INITS if name != "file"])
@pytest.mark.parametrize(("n_in", "n_out"), [(90, 220), (220, 90)])
def test_initialiser(name, n_in, n_out):
    call, promise = INIT_CALLS[name]
    spec = f"model M {{ input x: [{n_in}]  target t: [{n_out}]  output y = x -> dense({n_out}, init = {call}) }}"
    module = module_of(f"{spec} train {{ loss = mse(y, t) }}")
    w = module.init_params(1, np.float64)["y.W"]
    mean, variance = promise(n_in, n_out)
    assert abs(w.mean() - mean) <= 5 * math.sqrt(variance / w.size) + 1e-15
    np.testing.assert_allclose(w.var(), variance, rtol=0.05, atol=1e-15)  # sampling error: sqrt(2/19800), 1%
    np.testing.assert_array_equal(w, module.init_params(1, np.float64)["y.W"])
    np.testing.assert_array_equal(w.astype(np.float32), module.init_params(1)["y.W"])
    assert variance == 0 or (w != module.init_params(2, np.float64)["y.W"]).any()


def test_orthogonal_is_orthogonal():
    for n_in, n_out in ((5, 8), (8, 5), (6, 6)):
        spec = f"model M {{ input x: [{n_in}]  target t: [{n_out}]  output y = x -> dense({n_out}, init = orthogonal) }}"
        w = module_of(f"{spec} train {{ loss = mse(y, t) }}").init_params(1, np.float64)["y.W"]
        product = w @ w.T if n_in <= n_out else w.T @ w
        np.testing.assert_allclose(product, np.eye(min(n_in, n_out)), atol=1e-12)


# -------------------------------------------------------------------------------------------------------- metrics

METRIC_FORMULAS = {
    ("accuracy", "class"): lambda y, t: reference.accuracy_score(t, y.argmax(axis=1)),
    ("accuracy", "distribution"): lambda y, t: reference.accuracy_score(t.argmax(axis=1), y.argmax(axis=1)),
    ("accuracy", "unit"): lambda y, t: np.mean((y > 0.5) == (t > 0.5)),
    ("accuracy", "sign"): lambda y, t: np.mean(np.sign(y) == t),
    **dict.fromkeys([("mae", k) for k in ("real", "unit", "sign", "distribution")], lambda y, t: abs(y - t).mean()),
    **{("rmse", k): lambda y, t: reference.root_mean_squared_error(t, y) for k in ("real", "unit", "sign", "distribution")},
    **{("r2", k): lambda y, t: reference.r2_score(t, y) for k in ("real", "unit", "sign", "distribution")},
}
SETTINGS = {
    "real": ("mse", "", "[3]"),
    "unit": ("bce", "-> sigmoid", "[3]"),
    "sign": ("hinge", "", "[3]"),
    "class": ("cross_entropy", "-> softmax", "class[3]"),
    "distribution": ("cross_entropy", "-> softmax", "[3]"),
}


@pytest.mark.parametrize(("name", "kind"), [(m.name, kind) for m in METRICS.values() for kind in m.functions])
def test_metric(name, kind):
    loss, stage, target = SETTINGS[kind]
    scale = "scale = standard(x, t)" if kind == "real" else ""
    module = module_of(
        f"""model M {{ input x: [4]  target t: {target}  output y = x -> dense(3) {stage} }}
        data {{ {scale}  split = split(train = 50%, test = 50%)  x = [[1, 2, 3, 4]]  t = {[0] if kind == "class" else [[0, 0, 1]]} }}
        train {{ loss = {loss}(y, t)  metrics = [{name}]  batch = all }}"""
    )
    _, batch = generic_point(module, 3, examples=20)
    params, history = module.train(batch, epochs=2, dtype=np.float64)
    rows = split_indices(20, {"train": 0.5, "test": 0.5}, 0)
    for part, value in (("train", history[-1][name]), ("test", history.test[name])):
        y = module.predict(params, {"x": batch["x"][rows[part]]}, history.scaling)["y"]
        np.testing.assert_allclose(value, METRIC_FORMULAS[name, kind](y, batch["t"][rows[part]]), rtol=1e-10)


# ------------------------------------------------------------------------------------------------------------ ops

OP_SPECS = [
    *(spec for _, spec in LAYER_SPECS),
    *(loss_spec(f"{n}(y, t)", target, stage) for n, target, stage in loss_specs()),
    *(layer_spec("x -> dense(2)").replace("mse(y, t)", f"2 * mse(y, t)  decay = {p}") for p, e in PENALTIES.items() if e.op),
    """model M { input x: [4]  target t: [1]  output y = x -> dense(2, threshold) -> dense(1) }
    train { loss = mse(y, t) }""",
]


def graph_and_values(spec):
    """The finished graph of a spec, and the value of everything in it at a random point, in training mode."""
    graph = lower(model_of(spec), input_gradients=True)
    params, batch = generic_point(module_of(spec), 4, examples=6)
    return graph, run(graph, {**params, **batch}, rng=np.random.default_rng(4))


def test_every_op_is_met_here():
    met = {node.op for spec in OP_SPECS for node in lower(model_of(spec), input_gradients=True).nodes}
    assert set(OPS) - met <= {"columns", "pad_columns"}  # only in second derivatives


@pytest.mark.parametrize("spec", OP_SPECS)
def test_ops_have_the_types_they_infer(spec):
    graph, values = graph_and_values(spec)
    for node in graph.nodes:
        shape = tuple(6 if size == BATCH else size for size in node.out.type.shape)
        assert np.shape(values[node.out.id]) == shape, node.op
        if node.out.type.dtype == "real" and shape:
            assert values[node.out.id].dtype == np.float64, node.op


@pytest.mark.parametrize("spec", OP_SPECS)
def test_the_rule_of_every_op(spec):
    """One op at a time: its VJP rule against the complex step of its own NumPy line."""
    graph, values = graph_and_values(spec)
    drawn = {v.id for node in graph.nodes if OPS[node.op].random for v in node.outs}
    rng = np.random.default_rng(5)
    for node in graph.nodes:
        op = OPS[node.op]
        if op.vjp is None or op.random:
            continue
        operands = [values[v.id] for v in node.ins]
        builder = GraphBuilder(10**6)
        seed = builder.value("d", node.out.type)
        cotangents = op.vjp(builder, node, seed)
        sent = rng.standard_normal(np.shape(values[node.out.id]))
        env = {**{v.id: x for v, x in zip(node.ins, operands, strict=True)}, node.out.id: values[node.out.id], seed.id: sent}
        for step in builder.nodes:
            env[step.out.id] = evaluate(step, [env[v.id] for v in step.ins], None, True)
        for place, (value, cotangent) in enumerate(zip(operands, cotangents, strict=True)):
            if node.ins[place].type.dtype != "real" or node.ins[place].role == "target":
                continue
            at = lambda x, k=place: np.sum(sent * evaluate(node, [*operands[:k], x, *operands[k + 1 :]], None, True))  # noqa: E731, B023
            expected = complex_gradient(at, np.asarray(value))
            found = np.zeros(expected.shape) if cotangent is None else env[cotangent.id]
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12, err_msg=f"{node.op}, operand {place}")
