"""What tells networks and trainings apart: equal where predictions are, and where nothing of the training differs."""

import ast
import os

import numpy as np
import pytest
from support import SPECS, generic_point, model_of, module_of

from dotnn.codegen.threads import VARIABLES
from dotnn.library.layers import LAYERS
from dotnn.model.identity import network_identity, training_identity
from dotnn.session import Options, compile_model, front

NETWORK = """model M {{ input x: {shape}  target t: [1]
  h = x -> {call}
  output p = h -> {end} }}
train {{ loss = mse(p, t)
  {more}
}}"""
OF_TRAINING = [(name, arg.name) for name, layer in LAYERS.items() for arg in layer.args if arg.training]


def spec(call, more="", shape="[4]", end="dense(1)"):
    """A spec around a layer."""
    return NETWORK.format(call=call, more=more, shape=shape, end=end)


def network(name, **arguments):
    """A network around a layer of the registry with these arguments besides the ones it needs."""
    needed = "3, " if name in ("lstm", "gru", "rnn") else ""
    given = ", ".join(f"{key} = {value}" for key, value in arguments.items())
    shape = "[5, 3]" if needed or name == "sequence_dropout" else "[4]"
    return spec(f"{name}({needed}{given})", shape=shape, end="flatten -> dense(1)" if not needed else "dense(1)")


@pytest.mark.parametrize(("layer", "argument"), OF_TRAINING)
def test_an_argument_of_training_has_no_effect_on_predictions(layer, argument):
    low, high = {"truncate": ("1", "3"), "recompute": ("0", "5"), "stateful": ("false", "true")}.get(
        argument, ("0.1", "0.6")
    )
    texts = [network(layer, **{argument: value}) for value in (low, high)]
    if argument == "stateful":
        texts = [text.replace("train {", "train { shuffle = false ") for text in texts]
    assert len({network_identity(model_of(text)) for text in texts}) == 1
    modules = [module_of(text) for text in texts]
    params, batch = generic_point(modules[1])  # what is carried is state, which the other has not
    one, other = (module.predict(params, {n: batch[n] for n in module.INPUTS})["p"] for module in modules)
    np.testing.assert_array_equal(one, other)


def test_what_is_silenced_in_prediction_counts():
    calls = ("dropout(0.1)", "dropout(0.1, always = true)", "dropout(0.6, always = true)")
    assert len({network_identity(model_of(spec(call))) for call in calls}) == len(calls)


def test_what_is_computed_makes_the_identity():
    calls = ("dense(3, tanh)", "dense(3, relu)", "dense(3)", "dense(3) -> layernorm", "dense(3) -> leaky_relu(0.2)")
    assert len({network_identity(model_of(spec(call))) for call in calls}) == len(calls)


def test_how_it_is_trained_does_not():
    more = ["", "optim = adam(0.1)  init = he", "epochs = 7  decay = l2(0.1)", "seed = 3  batch = 7"]
    models = [model_of(spec("dense(3, tanh)", m)) for m in more]
    assert len({network_identity(model) for model in models}) == 1
    assert len({training_identity(model, "numpy", "fast") for model in models}) == len(models)


def test_the_number_of_epochs_and_comments_make_no_other_training():
    models = [model_of(spec("dense(3)", m)) for m in ("", "# a comment", "epochs = 3", "\n\n")]
    assert len({training_identity(model, "numpy", "fast") for model in models}) == 1


def test_a_text_with_a_hash_is_no_comment():
    """A digest of printed text, comments cut off, would take these for one."""
    data = '\ndata {{ source = csv("a#{}.csv", x = [a, b, c, d], t = [t]) }}'
    models = [model_of(spec("dense(3)") + data.format(number)) for number in (1, 2)]
    assert len({training_identity(model, "numpy", "fast") for model in models}) == 2


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.nn")), ids=lambda p: p.stem)
def test_every_spec_has_both(path):
    """Whatever stands in a model has a digest: a kind that has none raises TypeError."""
    model = front(str(path))[0]
    assert network_identity(model) == network_identity(front(str(path))[0])
    assert training_identity(model, "numpy", "fast") != training_identity(model, "tensorflow", "fast")


def named_model(script):
    """The value of MODEL in a script, which is not run."""
    assigned = [node for node in ast.parse(script).body if isinstance(node, ast.Assign)]
    return next(ast.literal_eval(node.value) for node in assigned if ast.unparse(node.targets[0]) == "MODEL")


def test_both_targets_and_styles_name_the_same_network():
    model = front(str(SPECS / "xor.nn"))[0]
    options = [Options("explain"), Options("fast"), Options(target="tensorflow")]
    assert [named_model(compile_model(model, o).script) for o in options] == [network_identity(model)] * 3


@pytest.mark.parametrize(("units", "wanted"), [(8, {"1"}), (900, {None})])
@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_script_sets_its_threads_by_the_size_of_its_products(units, wanted, style, monkeypatch):
    """Those of every library that NumPy may have been built with; a script to be read, of the usual one."""
    text = spec(f"dense({units}, tanh) -> dense({units})", "batch = 64")
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    module_of(text, style)
    read = VARIABLES if style == "fast" else ["OPENBLAS_NUM_THREADS"]
    assert {os.environ.get(name) for name in read} == wanted
    monkeypatch.setenv(VARIABLES[0], "7")
    module_of(text, style)
    assert os.environ[VARIABLES[0]] == "7"
