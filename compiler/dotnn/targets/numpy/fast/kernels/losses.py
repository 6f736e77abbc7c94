"""Fast NumPy for losses: a loss and its gradient share their work, so one kernel writes both."""

from __future__ import annotations

from dotnn.ir.node import Node, Value
from dotnn.library.ops.class_losses import target_rows
from dotnn.library.ops.reduction import weights_of
from dotnn.targets.numpy.fast.arrays import like
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step, Write


def _mean_factor(node: Node) -> str:
    """Return what a sum is multiplied by in a training step, where the batch has `size` examples."""
    features, mean = node.attrs["features"], node.attrs["reduce"] == "mean"
    if not mean:
        return "" if features == 1 else f" / {features}"
    return " / size" if features == 1 else f" / ({features} * size)"


def _squares(factor: str, slope: str) -> Write:
    """Return the kernel of a sum of squared errors: the error is the gradient but for a factor."""

    def kernel(e: Step, node: Node) -> bool:
        gradient = e.with_gradient(node)
        if gradient is None:
            return False
        y, t = node.ins
        d = e.out(gradient.out)
        e.run(f"subtract({y.name}, {t.name}, {d})")
        error = e.flat(gradient.out)
        e.run(f"{node.out.name} = {factor}dot({error}, {error}){_mean_factor(node)}")
        scale = e.number("loss_scale", f"{slope}{e.seed(gradient.ins[0])}{_mean_factor(node)}")
        e.run(f"multiply({d}, {scale}, {d})")
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
    z, t = node.ins
    mean = _mean_factor(node)
    signs = (f"{t.name}_sign", f"1 - 2 * np.asarray({e.example(t)}, dtype)")
    rows = e.example_array(*signs)
    axes = "" if len(z.type.shape) == 2 else f", {(*range(1, len(z.type.shape)), 0)}"
    sign = e.bind(f"{t.name}_sign", f"np.transpose({rows}{axes})")
    binary = e.bind(f"{t.name}_is_binary", f"bool((abs({e.all_examples(*signs)}) == 1).all())")
    signed, log = (e.scratch(f"{z.name}_{name}", *like(z)) for name in ("signed", "log"))
    zero = e.number("zero", "0")
    d = e.out(gradient.out)
    e.run(f"if {binary}:")
    e.run(f"    multiply({z.name}, {sign}, {signed})")
    e.run(f"    logaddexp({signed}, {zero}, {log})")
    e.run(f"    {node.out.name} = {_sum(e, z, log)}{mean}")
    e.run(f"    subtract({signed}, {log}, {d})")
    e.run(f"    exp({d}, {d})")
    e.run(f"    multiply({d}, {sign}, {d})")
    e.run("else:")
    e.run(f"    {node.out.name} = sigmoid_cross_entropy({z.name}, {t.name}).sum(){mean}")
    e.run(f"    copyto({d}, sigmoid({z.name}) - {t.name})")
    scale = e.number("loss_scale", f"{e.seed(gradient.ins[0])}{mean}")
    e.run(f"multiply({d}, {scale}, {d})")
    return True


def _softmax_cross_entropy(e: Step, node: Node) -> bool:
    """Turn the logits into their own gradient: subtract the maximum, exponentiate, normalise, subtract the target."""
    gradient = e.with_gradient(node)
    if gradient is None:
        return False
    z, t = node.ins
    rows = e.example_array(f"{t.name}_target", target_rows(node, 1, f"np.asarray({e.example(t)})", "dtype"))
    target = e.bind(f"{t.name}_target", f"{rows}.T")
    row, log = e.scratch("row", 1, "size"), e.scratch("log_sum", 1, "size")
    product, p = e.scratch(f"{z.name}_product", *like(z)), e.out(gradient.out)
    e.run(f"maximum.reduce({z.name}, axis=0, keepdims=True, out={row})")
    e.run(f"subtract({z.name}, {row}, {p})")
    e.run(f"multiply({p}, {target}, {product})")
    e.run(f"exp({p}, {p})")
    e.run(f"add.reduce({p}, axis=0, keepdims=True, out={row})")
    e.run(f"log({row}, {log})")
    true = f"add.reduce({product}, axis=None)"
    e.run(f"{node.out.name} = (add.reduce({log}, axis=None) - {true}){_mean_factor(node)}")
    e.run(f"if {node.out.name} < 0.001:", "1 + the other exponentials has lost them, log1p adds them to 1")
    e.run(f"    copyto({log}, np.log1p(np.sort({p}, axis=0)[:-1].sum(axis=0)))")
    e.run(f"    {node.out.name} = (add.reduce({log}, axis=None) - {true}){_mean_factor(node)}")
    e.run(f"divide({p}, {row}, {p})")
    e.run(f"subtract({p}, {target}, {p})")
    scale = e.number("loss_scale", f"{e.seed(gradient.ins[0])}{_mean_factor(node)}")
    e.run(f"multiply({p}, {scale}, {p})")
    return True


def _alike(node: Node) -> bool:
    """Whether all examples, steps and classes of a loss count alike."""
    return weights_of(node) is None and not node.attrs.get("class_weight")


def _plain(node: Node) -> bool:
    """Whether a loss is that of one label an example, all alike."""
    return len(node.ins[0].type.shape) == 2 and _alike(node)


HALF_SSE = Kernel("half_sse", _squares("0.5 * ", ""), gradient=_alike)
SSE = Kernel("sse", _squares("", "2 * "), gradient=_alike)
MSE = Kernel("mse", _squares("", "2 * "), gradient=_alike)
SIGMOID_BCE = Kernel("sigmoid_bce", _sigmoid_bce, gradient=_alike)
SOFTMAX_CROSS_ENTROPY = Kernel("softmax_cross_entropy", _softmax_cross_entropy, gradient=_plain)
