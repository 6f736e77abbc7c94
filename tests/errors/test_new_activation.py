"""The activation of one line in CONTRIBUTING.md: NumPy runs it, TensorFlow refuses what Keras has not."""

import pytest
from support import assert_gradients, generic_point, model_of, module_of

from dotnn.core.diagnostics import CompileError
from dotnn.library.layers import ACTIVATIONS, LAYERS
from dotnn.library.layers.base import activation
from dotnn.library.ops import OPS
from dotnn.library.ops.activations import unary
from dotnn.model.bind import FAMILIES
from dotnn.session import Options, compile_model

SPEC = """model M { input x: [3]  target t: [1]  output y = x -> dense(4, sine) -> dense(1) }
train { loss = mse(y, t) }"""


@pytest.fixture
def sine(monkeypatch):
    layer = activation("sine", "A sine.", equation="a = sin(z)")
    for op in unary("sine", "np.sin({z})", "{d} * np.cos({z})", equation="a = sin(z)"):
        monkeypatch.setitem(OPS, op.name, op)
    for table in (LAYERS, ACTIVATIONS, FAMILIES["activation"]):
        monkeypatch.setitem(table, "sine", layer)


@pytest.mark.usefixtures("sine")
def test_an_activation_that_keras_has_not():
    module = module_of(SPEC)
    assert_gradients(module, *generic_point(module))
    with pytest.raises(CompileError) as refused:
        compile_model(model_of(SPEC), Options(target="tensorflow"))
    (diagnostic,) = refused.value.diagnostics
    assert (diagnostic.code, SPEC[diagnostic.span.start : diagnostic.span.end]) == ("NN507", "dense(4, sine)")
