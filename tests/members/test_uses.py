"""State, draws and masks belong to each use of a layer: both styles train as the interpreter runs the graph."""

import numpy as np
import pytest
from support import SPECS, STYLES, as_module, generic_point, model_of, module_of
from uses import FORMS, Kept, calls, kept_or_drawn, network

from dotnn.core.arguments import Bound
from dotnn.ir.interpret import run
from dotnn.ir.tensor import BATCH as ANY
from dotnn.ir.tensor import TensorType
from dotnn.library.inits import INITS
from dotnn.library.layers import LAYERS
from dotnn.library.layers.base import Layer, ParamSpec
from dotnn.session import Options, compile_model, lower

CASES = [pytest.param(form, kept, id=f"{form}: {kept.call}") for form in FORMS for kept in calls(form)]
COUNT, BATCH = 8, 4


def interpreted(graph, params, data):
    """The losses and the weights of two steps of gradient descent, as the reference interpreter computes them."""
    rng = np.random.default_rng([0, 1])
    order, losses = rng.permutation(COUNT), []
    for chosen in np.split(order, COUNT // BATCH):
        values = run(graph, {**params, **{name: a[chosen] for name, a in data.items()}}, rng=rng)
        losses.append(values[graph.loss.id])
        trained = {name: params[name] - 0.1 * values[d.id] for name, d in graph.grads.items()}
        params = {**trained, **{name: values[v.id] for name, v in graph.new_state.items()}}
    return np.mean(losses), params


def assert_same(found, expected):
    """Compare arrays by name, relative to the largest number of each."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-12 * (1 + np.abs(array).max()), err_msg=name)


def assert_trained_alike(text):
    """Loss and gradients at a point, and all weights and statistics after two steps, of both styles."""
    graph = lower(model_of(text))
    for style in STYLES:
        # The verifier of memory takes its time: it is for state that several uses renew in place.
        script = compile_model(model_of(text), Options(style), check=bool(graph.state) and "layer" in text).script
        module = as_module(script, SPECS / "uses.nn")
        params, data = generic_point(module, examples=COUNT)
        at = run(graph, {**params, **data}, rng=np.random.default_rng(5))
        loss, grads = module.loss_and_grads(params, data, rng=np.random.default_rng(5))
        np.testing.assert_allclose(loss, at[graph.loss.id], rtol=1e-13)
        assert_same(grads, {name: at[d.id] for name, d in graph.grads.items()})
        trained, history = module.train(data, params=params, epochs=1, dtype=np.float64)
        expected, after = interpreted(graph, params, data)
        np.testing.assert_allclose(history[0]["loss"], expected, rtol=1e-13)
        assert_same(trained, after)
        assert all(np.abs(after[name] - params[name]).max() > 1e-3 for name in getattr(module, "STATE", ()))


@pytest.mark.parametrize(("form", "kept"), CASES)
def test_two_steps(form, kept):
    assert_trained_alike(network(form, kept))


def apart(text, call):
    """The same network with two layers in place of the shared one."""
    return text.replace(f"layer s0 = {call}", f"layer s0 = {call}  layer q0 = {call}").replace("b0 = s0(", "b0 = q0(")


def results(graph, params, data):
    """The loss, the gradients and what replaces the state, with draws from one seed."""
    values = run(graph, {**params, **data}, rng=np.random.default_rng(3))
    grads, state = ({name: values[v.id] for name, v in table.items()} for table in (graph.grads, graph.new_state))
    return values[graph.loss.id], grads, state


@pytest.mark.parametrize("form", ["shared", "one after the other"])
@pytest.mark.parametrize("kept", kept_or_drawn(), ids=lambda kept: kept.call)
def test_a_shared_layer_is_two_layers_with_the_same_weights(kept, form):
    """Both draw for themselves, gradients add up; the second renews what the first has left of the state."""
    text = network(form, kept)
    shared, two = (lower(model_of(source)) for source in (text, apart(text, kept.call)))
    params, data = generic_point(module_of(text), examples=COUNT)
    expected, grads, state = results(shared, params, data)
    again = {name: f"s0.{name[3:]}" for name in {**two.params, **two.state} if name.startswith("q0.")}
    both = {**params, **{name: params[source] for name, source in again.items()}}
    loss, parts, left = results(two, both, data)
    np.testing.assert_allclose(loss, expected, rtol=1e-13)
    parts |= {source: parts[source] + parts.pop(name) for name, source in again.items() if name in parts}
    assert_same(parts, grads)
    behind = results(two, {**both, **{name: left[source] for name, source in again.items() if name in left}}, data)[2]
    assert_same({source: behind[name] for name, source in again.items() if name in behind}, state)


def _counted(b, low):
    """What is not so in the registry: state that an op renews which does not know of state, in an array of its own."""
    share = b.emit("batch_share", low.x, name="share")
    mean = b.emit("batch_mean", low.x, low.params["total"], share, name="mean")
    b.update_state(low.params["total"], "add", low.params["total"], mean)
    return b.emit("centre", low.x, mean)


@pytest.mark.parametrize("form", FORMS)
def test_a_layer_that_renews_its_state_by_any_op(form, monkeypatch):
    def total(types, attrs):
        return (ParamSpec("total", types[0].example[-1:], Bound(INITS["zeros"], {}), is_weight=False, trained=False),)

    monkeypatch.setitem(LAYERS, "counted", Layer("counted", "The sum of all means.", _counted, params=total))
    assert_trained_alike(network(form, Kept("counted()", (TensorType((ANY, 4)),))))
