"""Whatever a spec calls its values, its TensorFlow script computes the same."""

import ast

import numpy as np
from support import model_of, names_among

from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_model
from dotnn_runtime.script.selfcheck import generic_batch

WHERE_VALUES_ARE = {"build_model", "total_loss", "loss_and_grads"}


def spec(names):
    """A network whose layers have these names, one of them twice used: it needs a word for itself."""
    made = "\n".join(f"{name} = x -> dense(2, tanh)" for name in names)
    return f"""model M {{ input x: [4]  target t: [1]
      layer {names[0]}_ = dense(4)
      {made}
      output y = concat({", ".join(names)}, x -> {names[0]}_, x -> tanh -> {names[0]}_) -> dense(1) }}
    train {{ loss = mse(y, t)  metrics = rmse }}"""


def script_of(names):
    return compile_model(model_of(spec(names)), Options(target="tensorflow")).script


def computed(names, folder):
    (folder / f"{names[0]}.py").write_text(script_of(names), encoding="utf-8")
    module = load_module(folder / f"{names[0]}.py")
    batch = generic_batch({**module.INPUTS, **module.TARGETS}, np.random.default_rng(0), 5)
    params = module.init_params(1)
    network = module.build_model(params)
    loss, grads = module.loss_and_grads(network, batch, training=False)
    return [loss, *grads.values(), *module.evaluate(network, batch, None).values()]


def test_values_called_like_words_of_the_script(tmp_path):
    functions = [f for f in ast.parse(script_of(["n0"])).body if isinstance(f, ast.FunctionDef)]
    bodies = [f for f in functions if f.name in WHERE_VALUES_ARE]
    nodes = [node for f in bodies for node in ast.walk(f)]
    words = {node.id for node in nodes if isinstance(node, ast.Name)} | {a.arg for a in nodes if isinstance(a, ast.arg)}
    words |= {"keras", "tf", "np", "math", *sorted(f.name for f in functions)[::3]}
    words = names_among(words - {"x", "y", "t"})
    assert len(words) > 30
    ours, theirs = computed(words, tmp_path), computed([f"n{i}" for i in range(len(words))], tmp_path)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
