"""Random valid specs for Hypothesis: any graph of layers, activations and joins, under any losses and penalties.

The members come from the registries, so that a new activation, join, loss or penalty is drawn as soon as it exists.
"""

from dataclasses import dataclass, field

from hypothesis import strategies as st

from dotnn.layers import LAYERS
from dotnn.losses import LOSSES
from dotnn.optimizers import OPTIMIZERS
from dotnn.penalties import PENALTIES
from dotnn.schema import REQUIRED

WIDTHS = st.integers(1, 4)
ACTIVATIONS = sorted(
    n for n, a in LAYERS.items() if a.family == "activation" and all(r.default is not REQUIRED for r in a.args)
)
JOINS = sorted(n for n, j in LAYERS.items() if j.family == "join" and n not in ("concat", "select"))
OUTPUT_STAGE = {"unit": " -> sigmoid", "class": " -> softmax"}
BLOCK = """block Residual(n) {
  input x: [n]
  f = x -> dense(n, tanh) -> dense(n)
  output relu(x + f)
}
"""


@dataclass
class Network:
    """The statements of a model so far: the width of every value, and which of them nothing reads yet."""

    widths: dict[str, int] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    shared: dict[str, int] = field(default_factory=dict)
    block: bool = False

    def add(self, name: str, width: int, statement: str) -> None:
        self.statements.append(statement)
        self.widths[name] = width
        self.unread[name] = None

    def read(self, name: str) -> str:
        self.unread.pop(name, None)
        return name


@st.composite
def specs(draw, *, dropout: bool = True, max_statements: int = 6) -> str:
    """The text of a random spec with one to three inputs, up to two losses, and no data."""
    network = Network()
    _inputs(draw, network)
    for number in range(draw(st.integers(1, max_statements))):
        _statement(draw, network, f"v{number}", dropout)
    losses = _outputs(draw, network)
    decay = draw(st.sampled_from([None, *sorted(PENALTIES)]))
    train = [f"loss = {' + '.join(losses)}", f"optim = {draw(st.sampled_from(sorted(OPTIMIZERS)))}(0.01)"]
    train += [f"batch = {draw(st.sampled_from(['2', 'all', 'online']))}", *([f"decay = {decay}(0.1)"] if decay else [])]
    body = "\n  ".join(network.statements)
    return f"{BLOCK if network.block else ''}model Random {{\n  {body}\n}}\ntrain {{\n  " + "\n  ".join(train) + "\n}\n"


def _inputs(draw, network: Network) -> None:
    for number in range(draw(st.integers(1, 2))):
        width = draw(WIDTHS)
        network.add(f"x{number}", width, f"input x{number}: [{width}]")
    if draw(st.booleans()):
        rows, columns, units = draw(WIDTHS), draw(WIDTHS), draw(WIDTHS)
        network.statements.append(f"input table: [{rows}, {columns}]")
        network.add("rows", rows * units, f"rows = table -> dense({units}, {_activation(draw)}) -> flatten")


def _activation(draw) -> str:
    return draw(st.sampled_from(ACTIVATIONS))


def _value(draw, network: Network) -> str:
    return network.read(draw(st.sampled_from(sorted(network.widths))))


def _fitted(draw, network: Network, width: int) -> str:
    """An operand of this width."""
    fitting = sorted(name for name, w in network.widths.items() if w == width)
    if fitting and draw(st.booleans()):
        return network.read(draw(st.sampled_from(fitting)))
    return f"({_value(draw, network)} -> dense({width}, {_activation(draw)}))"


def _statement(draw, network: Network, name: str, dropout: bool) -> None:
    kinds = [_dense, _activated, _joined, _concatenated, _selected, _centred, _scaled, _sharing, _residual, _summed]
    width, expression = draw(st.sampled_from(kinds + [_dropped] * dropout))(draw, network, name)
    network.add(name, width, f"{name} = {expression}")


def _dense(draw, network: Network, name: str) -> tuple[int, str]:
    width, bias = draw(WIDTHS), draw(st.sampled_from(["", ", bias = false"]))
    return width, f"{_value(draw, network)} -> dense({width}, {_activation(draw)}{bias})"


def _activated(draw, network: Network, name: str) -> tuple[int, str]:
    value = _value(draw, network)
    return network.widths[value], f"{value} -> {_activation(draw)}"


def _joined(draw, network: Network, name: str) -> tuple[int, str]:
    first, join = _value(draw, network), draw(st.sampled_from(JOINS))
    most = LAYERS[join].arity[1] or 3
    others = [_fitted(draw, network, network.widths[first]) for _ in range(draw(st.integers(1, most - 1)))]
    if join == "max" and first in others:  # a tie everywhere has no derivative
        others = [f"({other} -> dense({network.widths[first]}))" for other in others]
    return network.widths[first], f"{join}({', '.join([first, *others])})"


def _concatenated(draw, network: Network, name: str) -> tuple[int, str]:
    parts = [_value(draw, network) for _ in range(draw(st.integers(2, 3)))]
    return sum(network.widths[p] for p in parts), f"concat({', '.join(parts)})"


def _selected(draw, network: Network, name: str) -> tuple[int, str]:
    first, switch = _value(draw, network), _value(draw, network)
    branches = [first, *(_fitted(draw, network, network.widths[first]) for _ in range(draw(st.integers(1, 2))))]
    return network.widths[first], f"select({switch} -> dense({len(branches)}, softmax), {', '.join(branches)})"


def _centred(draw, network: Network, name: str) -> tuple[int, str]:
    value = _value(draw, network)
    width = network.widths[value]
    return width, f"{value} - ({value} -> mean_features -> spread({width}))"


def _summed(draw, network: Network, name: str) -> tuple[int, str]:
    return 1, f"{_value(draw, network)} -> sum_features"


def _scaled(draw, network: Network, name: str) -> tuple[int, str]:
    value = _value(draw, network)
    return network.widths[value], draw(st.sampled_from([f"0.7 * {value}", f"-{value}"]))


def _sharing(draw, network: Network, name: str) -> tuple[int, str]:
    """Two uses of one layer."""
    first, width, layer = _value(draw, network), draw(WIDTHS), f"s_{name}"
    network.statements.append(f"layer {layer} = dense({width}, {_activation(draw)})")
    second = _fitted(draw, network, network.widths[first])
    return width, f"({first} -> {layer}) + ({second} -> {layer})"


def _residual(draw, network: Network, name: str) -> tuple[int, str]:
    network.block = True
    value, count = _value(draw, network), draw(st.integers(1, 2))
    block = f"Residual({network.widths[value]})"
    return network.widths[value], f"{value} -> {block if count == 1 else f'repeat({count}, {block})'}"


def _dropped(draw, network: Network, name: str) -> tuple[int, str]:
    value = _value(draw, network)
    return network.widths[value], f"{value} -> dropout(40%)"


def _outputs(draw, network: Network) -> list[str]:
    """Add outputs that read all that is left; return the terms of the loss."""
    left = [network.read(name) for name in list(network.unread)]
    source = left[0] if len(left) == 1 else "everything"
    if len(left) > 1:
        network.statements.append(f"everything = concat({', '.join(left)})")
    return [_output(draw, network, number, source) for number in range(draw(st.integers(1, 2)))]


def _output(draw, network: Network, number: int, source: str) -> str:
    loss, width = LOSSES[draw(st.sampled_from(sorted(LOSSES)))], draw(st.integers(2, 4))
    by_class = loss.target == "class" and draw(st.booleans())
    network.statements.append(f"target t{number}: {'class' if by_class else ''}[{width}]")
    network.statements.append(f"output y{number} = {source} -> dense({width}){OUTPUT_STAGE.get(loss.target, '')}")
    reduce = draw(st.sampled_from(["", ", reduce = sum", ", reduce = mean"]))
    weight = draw(st.sampled_from(["", "0.3 * "]))
    return f"{weight}{loss.name}(y{number}, t{number}{reduce})"
