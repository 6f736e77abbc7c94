"""Every equation, read back from its printed text and evaluated on what the script computes, gives what it computes."""

import numpy as np
import pytest
from equations.evaluate import Evaluation, Terms
from equations.reader import Reader
from fuzz.grow import spec
from samples import CHOSEN_SPECS, EXPRESSION_SPECS, LAYER_SPECS, layer_spec, loss_settings, loss_spec
from support import IN_TURN, OF_ONE, SPECS, as_module, generic_point, model_of

from dotnn.commands.explaining.script import explanation
from dotnn.ir.expr import Call, Index, Name
from dotnn.ir.maths.plain import PLAIN
from dotnn.running.observing import Observer
from dotnn.running.script_values import script_values
from dotnn.session import Compilation, Options
from dotnn.targets import PROVEN
from dotnn.targets.numpy.explain.script import explain_script

EXAMPLES = 3
IN_TURN_SPECS = [SPECS / f"{name}.nn" for name in IN_TURN]
TEXTS = [*LAYER_SPECS, *EXPRESSION_SPECS, *CHOSEN_SPECS]
TEXTS += [(name, loss_spec(f"{name}(y, t)", target, stage)) for name, target, stage in loss_settings()]


def values_of(found, path=SPECS / "test.nn", size=1.0):
    """What the script computes at a generic point, in training mode; `size` makes its weights smaller."""
    module = as_module(found.text, path)
    params, batch = generic_point(module, examples=EXAMPLES)
    params = {name: size * w for name, w in params.items()}
    return script_values(found.graph, module, found.text, found.sites, params, batch, rng=np.random.default_rng(0))


def equations_of(found):
    return [e for part in found.derivation.parts for s in part.statements for e in s.equations if e.value]


def wanted(equation, left, whole, steps, step, now):
    """What an equation must give: the value, of a sequence that of the step."""
    key = f"@{equation.value}"
    if key in steps:
        return steps[key][step]
    is_element_of_sequence = isinstance(left, Index) and Name(now) in left.items
    return whole[key][:, step] if is_element_of_sequence else whole[key]


def given(equation, left, right, whole, steps, step, now, of=Evaluation):
    """What an equation says; with `of=Terms`, how large the numbers are that are added up in it."""
    match right:
        case Call("sum_over", (Name(name), Name(letter))) if letter == now:
            return np.sum(np.abs(steps[name]) if of is Terms else steps[name], axis=0)
    place = None if step is None else step + equation.offset
    arrays = whole | {name: some[place] for name, some in steps.items() if place is not None and place < len(some)}
    return of(arrays, equation.extents, EXAMPLES, now, step).result(left, right)


def assert_equations(found, values):
    """Read and evaluate all equations of a network, and return how many there are."""
    derivation = found.derivation
    whole = {f"@{name}": array for name, array in values.whole.items()}
    steps = {f"@{name}": arrays for name, arrays in values.steps.items()}
    texts = {PLAIN.symbol(symbol, []): name for name, symbol in derivation.symbols.items()}
    assert len(texts) == len(derivation.symbols), "two values have the same symbol"
    reader, count = Reader(texts, derivation.ranks), 0
    for equation in equations_of(found):
        if equation.said:
            continue
        left, right = reader.equation(derivation.written(equation, PLAIN))
        for step in equation.steps or [None]:
            says = given(equation, left, right, whole, steps, step, derivation.now)
            is_so = np.asarray(wanted(equation, left, whole, steps, step, derivation.now), float)
            says = np.reshape(says, is_so.shape) if np.size(says) == is_so.size else np.broadcast_to(says, is_so.shape)
            terms = given(equation, left, right, whole, steps, step, derivation.now, Terms)
            np.testing.assert_allclose(
                says, is_so, rtol=0, atol=1e-12 * np.max(terms, initial=0), err_msg=equation.value
            )
            count += 1
    return count


@pytest.mark.parametrize("path", OF_ONE, ids=lambda path: path.stem)
def test_specs(path):
    found = explanation(Compilation.read(str(path)))
    assert assert_equations(found, values_of(found, path)) >= len(list(found.graph.all_nodes())) / 2


@pytest.mark.parametrize(
    ("name", "section"), [(path.stem, s) for path in IN_TURN_SPECS for s in Compilation.read(str(path)).parts]
)
def test_sections_that_take_turns(name, section):
    """Each has its own; they name no lines of a script, for that of all has others."""
    path = SPECS / f"{name}.nn"
    found = explanation(Compilation.read(str(path)), section)
    values = values_of(found, path, size=0.1)  # else the critic is so sure that 1 - D is 0
    assert assert_equations(found, values) >= len(list(found.graph.all_nodes())) / 2
    assert found.derivation.title.endswith(section) and not any(e.line for e in equations_of(found))


ODD = {
    "one step": layer_spec("table -> reshape([1, 6]) -> lstm(2)"),
    "axes of length 1": layer_spec("x -> dense(1, tanh) -> dense(1, penalty = l1(0.1)) -> dense(2)"),
    "a border around one row": layer_spec("x -> reshape([1, 2, 2]) -> conv2d(2, 3, pad = 1) -> maxpool(2, 1, same)"),
    "a kernel of one element": layer_spec("table -> reshape([3, 2, 1]) -> conv2d(1, 1, stride = 2) -> avgpool(1)"),
    "windows over many places": layer_spec(
        "u -> dense(64) -> reshape([8, 8, 1]) -> conv2d(16, 3, relu, pad = same) -> maxpool(2)"
    ),
    "a product of products": layer_spec("x * (2 * u) + x * (3 * (u * v)) + exp(x * (-2 * (v - u)))"),
    "used three times": layer_spec("x * u + u / (2 + u^2)"),
}

IN_PARTS = {  # by the call: whether its last step comes first
    "rnn(2, recompute = 5, reverse = true, returns = sequence)": True,
    "lstm(2, recompute = 2, dropout = 0.3, recurrent_dropout = 0.4)": False,
    "lstm(2, recompute = 2, penalty = l2(0.1))": False,
    "rnn(2, recompute = 4, reverse = true, returns = sequence)": True,
}


@pytest.mark.parametrize(("call", "turned"), IN_PARTS.items())
def test_steps_that_are_computed_again(call, turned):
    """The equations are of the plain layer, and every line that they name computes that value in the spec's script."""
    begun = Compilation.of(model_of(layer_spec(f"x -> dense(40) -> reshape([10, 4]) -> {call}")))
    found = explanation(begun)
    values = values_of(found)
    own = explain_script(begun.draft(Options(PROVEN.styles[0].name)))
    assert own.text == found.script != found.text
    module = as_module(own.text, SPECS / "test.nn")
    observer = Observer(module, own.text, own.sites)
    grads = observer.run(
        lambda: module.loss_and_grads(*generic_point(module, examples=EXAMPLES), rng=np.random.default_rng(0))
    )[1]
    for name, grad in values.grads.items():
        np.testing.assert_allclose(grads[name], grad, rtol=1e-11, atol=1e-13)
    backward = (inner for node in found.graph.phase("backward") for inner in node.all_nodes())
    sent_back = {v.name for node in backward for v in node.outs}
    kinds = set()
    for equation in equations_of(found):
        name = equation.value
        if not equation.line:
            continue
        assert own.sites[name].line == equation.line
        if name in observer.observed.whole:
            is_so, wanted = observer.observed.whole[name], values.whole[name]
        elif name in values.steps:
            is_so, wanted = observer.observed.steps[name], [values.steps[name][step] for step in equation.steps]
            wanted = wanted[-len(is_so) :] if name in sent_back else wanted[: len(is_so)]  # a rest has lines of its own
        else:
            parts = observer.observed.steps[name]
            parts = parts[::-1] if turned is not (name in sent_back) else parts
            is_so, wanted = np.concatenate(parts, axis=1), values.whole[name]
            wanted = wanted[:, -is_so.shape[1] :] if turned else wanted[:, : is_so.shape[1]]
        np.testing.assert_allclose(is_so, wanted, rtol=1e-11, atol=1e-13, err_msg=name)
        kinds.add((name in observer.observed.whole, name in values.steps))
    assert {(True, False), (False, True)} <= kinds


DEFINED = """
activation swish(z, beta = 1) = z * sigmoid(beta * z)
loss quantile(y, t, q = 0.9) = mean(max(q * (t - y), (q - 1) * (t - y)))
loss focal(p, y: class, gamma = 2) = -(1 - p[y])^gamma * log(p[y])
penalty group(w, s) = s * sum(sqrt(sum(w^2, axis = 0)))
model D {
  input x: [3]
  target t: [1]
  target c: class[3]
  h = x -> dense(4, swish, penalty = group(0.1))
  output y = h -> dense(1)
  output p = h -> dense(3, softmax)
}
train { loss = quantile(y, t) + 0.5 * focal(p, c) }"""
ODD["defined by the spec"] = DEFINED


@pytest.mark.parametrize("text", ODD.values(), ids=[*ODD])
def test_odd_networks(text):
    found = explanation(Compilation.of(model_of(text)))
    assert assert_equations(found, values_of(found))


@pytest.mark.parametrize("number", range(12))
def test_random_networks(number):
    found = explanation(Compilation.of(model_of(spec(number, files=False))))
    assert assert_equations(found, values_of(found))


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_members(number):
    """Every layer in its sample calls, every loss in every setting, and expressions."""
    name, text = TEXTS[number]
    found = explanation(Compilation.of(model_of(text)))
    assert assert_equations(found, values_of(found)), name
