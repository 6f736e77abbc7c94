"""Fast NumPy for losses: a loss and its gradient share their work, so one kernel writes both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dotnn.ir.node import Node, Value
from dotnn.library.ops.class_losses import target_rows
from dotnn.library.ops.reduction import weights_of
from dotnn.targets.numpy.fast.arrays import like
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step, Write

OF_ROWS = "softmax_cross_entropy_of_rows"


def _mean_factor(node: Node, count: str = "size") -> str:
    """Return what a sum is multiplied by in a training step, where the batch has `count` examples."""
    features, mean = node.attrs["features"], node.attrs["reduce"] == "mean"
    if not mean:
        return "" if features == 1 else f" / {features}"
    return f" / {count}" if features == 1 else f" / ({features} * {count})"


@dataclass(frozen=True)
class _Counted:
    """How much the examples, steps and classes of a loss count.

    weights  an array that fits the output's, "" where all count alike
    mean     the text ` / n` that makes the loss of a sum, or nothing
    scale    what the slopes are multiplied by, besides their weights
    small    where a loss is that of certain predictions
    """

    weights: str
    mean: str
    scale: str
    small: str = "0.001"

    def weigh(self, e: Step, array: str) -> None:
        """Multiply an array by the weights."""
        if self.weights:
            e.run(f"multiply({array}, {self.weights}, {array})")


def _counted(
    e: Step, node: Node, cotangent: Value, dims: Sequence[int | str], *, slope: str = "", classes: str = ""
) -> _Counted:
    """Return how much what counts; `classes` is the array of the weights of each target's class, of sizes `dims`.

    `slope` is a factor of the gradient, whose `cotangent` is known.
    """
    m, factor = weights_of(node), f"{slope}{e.seed(cotangent)}"
    if m is None or node.attrs["reduce"] != "mean":
        mean, whole = _mean_factor(node), "" if m is None else f" * sum_of_weights({m.name})"
        scale = e.number("loss_scale", f"{factor}{mean}")
        return _Counted(_weights(e, node, dims, classes), mean, scale, f"0.001{whole}")
    total = e.step_name(f"{node.out.name}_weight", node.out.id)
    e.run(f"{total} = sum_of_weights({m.name})")
    mean = _mean_factor(node, total)
    return _Counted(_weights(e, node, dims, classes), mean, f"{e.number('loss_scale', factor)}{mean}")


def _weights(e: Step, node: Node, dims: Sequence[int | str], classes: str) -> str:
    """Return the weights of a loss, times those of the classes; "" where all count alike."""
    m = weights_of(node)
    if m is None:
        return classes
    marks = m.name if m.type.dtype == "real" else f"np.moveaxis({e.integers(m)}, 0, -1)"
    own, axes = len(m.type.example), len(node.ins[0].type.example)
    fitting = f"{marks}[{', '.join([':'] * own + ['None'] * (axes - own))}]" if 0 < own < axes else marks
    if not classes:
        return fitting
    both = e.scratch(f"{classes}_weights", *dims)
    e.run(f"multiply({classes}, {fitting}, {both})")
    return both


def _squares(factor: str, slope: str) -> Write:
    """Return the kernel of a sum of squared errors: the error is the gradient but for a factor."""

    def kernel(e: Step, node: Node) -> bool:
        gradient = e.with_gradient(node)
        if gradient is None:
            return False
        y, t = node.ins[:2]
        counted, d = _counted(e, node, gradient.ins[0], like(y), slope=slope), e.out(gradient.out)
        e.run(f"subtract({y.name}, {t.name}, {d})")
        error = e.flat(gradient.out)
        if not counted.weights:
            e.run(f"{node.out.name} = {factor}dot({error}, {error}){counted.mean}")
            e.run(f"multiply({d}, {counted.scale}, {d})")
            return True
        weighted = e.scratch_like(f"{y.name}_weighted", y)
        e.run(f"multiply({d}, {counted.weights}, {weighted})")
        e.run(f"multiply({d}, {weighted}, {d})")
        e.run(f"{node.out.name} = {factor}{_sum(e, y, d)}{counted.mean}")
        e.run(f"multiply({weighted}, {counted.scale}, {d})")
        return True

    return kernel


def _sum(e: Step, value: Value, array: str) -> str:
    """Return the expression of the sum of an array, shaped like a value; the planes of images do not lie as rows do."""
    if len(value.type.shape) == 4:
        return f"add.reduce({array}, axis=None)"
    ones = e.bind(f"{value.name}_ones", f"np.ones({value.name}.size, dtype)")
    return f"dot({ones}, {e.bind(f'{array}_flat', f'{array}.reshape(-1)')})"


def _sigmoid_bce(e: Step, node: Node) -> bool:
    """For targets of 0 and 1: with sign = 1 - 2 t, E = log(1 + exp(sign z)), whose slope is sign sigmoid(sign z).

    No digit cancels there, as some do in log(1 + exp(z)) - t z; and sigmoid(v) = exp(v - log(1 + exp(v))).
    """
    gradient = e.with_gradient(node)
    if gradient is None:
        return False
    z, t = node.ins[:2]
    axes = "" if len(z.type.shape) == 2 else f", {(*range(1, len(z.type.shape)), 0)}"

    def of_examples(hint: str, expression: str) -> str:
        return e.bind(hint, f"np.transpose({e.example_array(hint, expression)}{axes})")

    target = f"np.asarray({e.example(t)}, dtype)"
    signs = (f"{t.name}_sign", f"1 - 2 * {target}")
    sign = of_examples(*signs)
    binary = e.bind(f"{t.name}_is_binary", f"bool((abs({e.all_examples(*signs)}) == 1).all())")
    signed, log = (e.scratch_like(f"{z.name}_{name}", z) for name in ("signed", "log"))
    zero = e.number("zero", "0")
    of_classes = node.attrs.get("class_weight")
    classes = (
        of_examples(f"{t.name}_weight", f"{of_classes[0]} + {of_classes[1] - of_classes[0]} * {target}")
        if of_classes
        else ""
    )
    counted, d = _counted(e, node, gradient.ins[0], like(z), classes=classes), e.out(gradient.out)
    e.run(f"if {binary}:")
    e.run(f"    multiply({z.name}, {sign}, {signed})")
    e.run(f"    logaddexp({signed}, {zero}, {log})")
    e.run(f"    subtract({signed}, {log}, {d})")
    e.run(f"    exp({d}, {d})")
    e.run(f"    multiply({d}, {sign}, {d})")
    e.run("else:")
    e.run(f"    copyto({log}, sigmoid_cross_entropy({z.name}, {t.name}))")
    e.run(f"    copyto({d}, sigmoid({z.name}) - {t.name})")
    counted.weigh(e, log)
    e.run(f"{node.out.name} = {_sum(e, z, log)}{counted.mean}")
    counted.weigh(e, d)
    e.run(f"multiply({d}, {counted.scale}, {d})")
    return True


def _softmax_cross_entropy(e: Step, node: Node) -> bool:
    """Turn the logits into their own gradient: subtract the maximum, exponentiate, normalise, subtract the target.

    Rows of a target that need not sum to one are a loss of logits times their sums.
    """
    gradient = e.with_gradient(node)
    if gradient is None:
        return False
    z, t = node.ins[:2]
    labels, axis = f"np.asarray({e.example(t)})", len(z.type.example) - 1

    def of_examples(hint: str, expression: str) -> str:
        rows = e.example_array(f"{t.name}_{hint}", expression)
        return e.bind(f"{t.name}_{hint}", f"np.moveaxis({rows}, 0, -1)" if axis else f"{rows}.T")

    target, of_classes = of_examples("target", target_rows(node, 1, labels, "dtype")), node.attrs["class_weight"]
    sums = (
        of_examples("sums", f"np.asarray({e.example(t)}, dtype).sum(axis=-1, keepdims=True)")
        if node.op == OF_ROWS
        else ""
    )
    classes = of_examples("weight", f"weight_of_class({labels}, {of_classes}, dtype)") if of_classes else ""
    one: tuple[int | str, ...] = (*z.type.example[:-1], 1, "size")
    counted = _counted(e, node, gradient.ins[0], one, classes=classes)
    row, log = (e.scratch(name, *one) for name in ("row", "log_sum"))
    each = e.scratch("each", *one) if counted.weights else ""
    product, p = e.scratch_like(f"{z.name}_product", z), e.out(gradient.out)

    def total(indent: str = "") -> None:
        """Write the loss of the logarithms of the sums."""
        loss = f"(add.reduce({log}, axis=None) - add.reduce({product}, axis=None))"
        if sums:
            e.run(f"{indent}multiply({log}, {sums}, {log})")
        if counted.weights:
            e.run(f"{indent}add.reduce({product}, axis={axis}, keepdims=True, out={each})")
            e.run(f"{indent}subtract({log}, {each}, {each})")
            loss = f"add.reduce({each} * {counted.weights}, axis=None)"
        e.run(f"{indent}{node.out.name} = {loss}{counted.mean}")

    e.run(f"maximum.reduce({z.name}, axis={axis}, keepdims=True, out={row})")
    e.run(f"subtract({z.name}, {row}, {p})")
    e.run(f"multiply({p}, {target}, {product})")
    e.run(f"exp({p}, {p})")
    e.run(f"add.reduce({p}, axis={axis}, keepdims=True, out={row})")
    e.run(f"log({row}, {log})")
    total()
    e.run(f"if {node.out.name} < {counted.small}:", "1 + the other exponentials has lost them, log1p adds them to 1")
    others, kept = ("[..., :-1, :]", ", keepdims=True") if axis else ("[:-1]", "")
    e.run(f"    copyto({log}, np.log1p(np.sort({p}, axis={axis}){others}.sum(axis={axis}{kept})))")
    total("    ")
    if sums:
        e.run(f"divide({sums}, {row}, {row})")
    e.run(f"{'multiply' if sums else 'divide'}({p}, {row}, {p})")
    e.run(f"subtract({p}, {target}, {p})")
    if counted.weights:
        e.run(f"multiply({counted.weights}, {counted.scale}, {each})")
    e.run(f"multiply({p}, {each if counted.weights else counted.scale}, {p})")
    return True


HALF_SSE = Kernel("half_sse", _squares("0.5 * ", ""), gradient=True)
SSE = Kernel("sse", _squares("", "2 * "), gradient=True)
MSE = Kernel("mse", _squares("", "2 * "), gradient=True)
SIGMOID_BCE = Kernel("sigmoid_bce", _sigmoid_bce, gradient=True)
SOFTMAX_CROSS_ENTROPY = Kernel("softmax_cross_entropy", _softmax_cross_entropy, gradient=True)
SOFTMAX_CROSS_ENTROPY_OF_ROWS = Kernel(OF_ROWS, _softmax_cross_entropy, gradient=True)
