"""Every equation of every spec, evaluated on what the script computes, gives what the script computes."""

import numpy as np
import pytest
from equations.evaluate import Evaluation
from samples import EXPRESSION_SPECS, LAYER_SPECS, loss_settings, loss_spec
from support import SPECS, as_module, generic_point, model_of

from dotnn.commands.explaining.script import explanation
from dotnn.ir.expr import Call, Index, Name
from dotnn.running.script_values import script_values
from dotnn.session import Compilation

EXAMPLES = 3
TEXTS = [*LAYER_SPECS, *EXPRESSION_SPECS]
TEXTS += [(name, loss_spec(f"{name}(y, t)", target, stage)) for name, target, stage in loss_settings()]


def values_of(found, path=SPECS / "test.nn"):
    """What the script computes at a generic point, in training mode."""
    module = as_module(found.text, path)
    params, batch = generic_point(module, examples=EXAMPLES)
    return script_values(found.graph, module, found.text, found.sites, params, batch, rng=np.random.default_rng(0))


def equations_of(found):
    return [e for part in found.derivation.parts for s in part.statements for e in s.equations if e.value]


def wanted(equation, whole, steps, step):
    """What an equation must give: the value, of a sequence that of the step."""
    key = f"@{equation.value}"
    if key in steps:
        return steps[key][step]
    is_element_of_sequence = isinstance(equation.left, Index) and Name("t") in equation.left.items
    return whole[key][:, step] if is_element_of_sequence else whole[key]


def given(equation, whole, steps, step):
    """What an equation says."""
    match equation.right:
        case Call("sum_over", (Name(name), Name("t"))):
            return np.sum(steps[name], axis=0)
    arrays = whole | {name: arrays[(step or 0) + equation.offset] for name, arrays in steps.items() if step is not None}
    return Evaluation(arrays, equation.extents, EXAMPLES, step).result(equation.left, equation.right)


def assert_equations(found, values):
    """Evaluate all equations of a network, and return how many there are."""
    whole = {f"@{name}": array for name, array in values.whole.items()}
    steps = {f"@{name}": arrays for name, arrays in values.steps.items()}
    count = 0
    for equation in equations_of(found):
        for step in [] if equation.said else equation.steps or [None]:
            right, left = given(equation, whole, steps, step), np.asarray(wanted(equation, whole, steps, step), float)
            right = np.broadcast_to(right, left.shape) if np.size(right) == 1 else np.reshape(right, left.shape)
            scale = np.abs(left).max(initial=1e-3)
            np.testing.assert_allclose(right, left, rtol=0, atol=1e-11 * scale, err_msg=equation.value)
            count += 1
    return count


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.nn")), ids=lambda path: path.stem)
def test_specs(path):
    found = explanation(Compilation.read(str(path)))
    assert assert_equations(found, values_of(found, path)) >= len(list(found.graph.all_nodes())) / 2


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_members(number):
    """Every layer in its sample calls, every loss in every setting, and expressions."""
    name, text = TEXTS[number]
    found = explanation(Compilation.of(model_of(text)))
    assert assert_equations(found, values_of(found)), name
