"""Random valid specs for Hypothesis: any graph of layers, activations and joins, under any losses and penalties.

The members come from the registries, so that a new activation, join, loss, initialiser or penalty is drawn as soon as
it exists. What has no slope by construction is not drawn (`v - v`, softmax of a single value, the maximum of a value
and itself): a gradient that is zero everywhere proves nothing. Steps (`threshold`) are drawn, because the compiler
declares the zeros that they leave behind.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hypothesis import strategies as st

from dotnn.clips import CLIPS
from dotnn.inits import INITS
from dotnn.layers import LAYERS
from dotnn.losses import LOSSES
from dotnn.optimizers import OPTIMIZERS
from dotnn.penalties import PENALTIES
from dotnn.schedules import SCHEDULES
from dotnn.schema import DURATION, FRACTION, NON_NEGATIVE, NUMBER, POSITIVE, POSITIVE_DURATION, REQUIRED

WIDTHS = st.integers(1, 4)
NUMBERS = {NUMBER: ["0.3", "0.05"], POSITIVE: ["0.7", "1.5"], NON_NEGATIVE: ["0.2", "0.9"], FRACTION: ["0.1", "0.4"],
           POSITIVE_DURATION: ["3", "40%", "epochs(1)"], DURATION: ["0", "2", "30%", "epochs(1)"]}  # fmt: skip
"""Sample values for an argument, by its kind."""
SMALL, SHARE = ["0.01", "0.02"], ["0.7", "0.9"]
RATES = {"lr": SMALL, "end": SMALL, "least": SMALL, "factor": SHARE, "rate": SHARE}
"""Sample values for the arguments of a schedule, by name: the learning rate is small, and does not grow."""
NOTHING: Mapping[str, list[str]] = {}

ACTIVATIONS = sorted(
    n for n, a in LAYERS.items() if a.family == "activation" and all(r.default is not REQUIRED for r in a.args)
)
JOINS = sorted(n for n, j in LAYERS.items() if j.family == "join" and n not in ("concat", "select", "attention"))
INITIALISERS = sorted(name for name in INITS if name not in ("file", "zeros", "ones", "constant", "forget_one"))
"""Without those that make all sums of a layer equal: such ties have no derivative, and rounding decides them."""
RECURRENT = ["rnn", "lstm", "gru"]
RECURRENT_OPTIONS = ["reverse = true", "bias = false", "truncate = 2"]
OUTPUT_STAGE = {"unit": " -> sigmoid", "class": " -> softmax"}
BLOCKS = {
    "Residual": """block Residual(n) {
  input x: [n]
  f = x -> dense(n, tanh) -> dense(n)
  output relu(x + f)
}
""",
    "Gated": """block Gated(act = tanh) {
  input x: [n]
  layer both = dense(n, act)
  output y = (x -> both) * (x -> both -> sigmoid) + 0.5 * x
}
""",
}


@dataclass
class Network:
    """The statements of a model so far: the width of every value, and which of them nothing reads yet."""

    widths: dict[str, int] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    blocks: set[str] = field(default_factory=set)

    def add(self, name: str, width: int, statement: str) -> None:
        self.statements.append(statement)
        self.widths[name] = width
        self.unread[name] = None

    def read(self, name: str) -> str:
        self.unread.pop(name, None)
        return name


@st.composite
def specs(draw, *, moods: bool = True, max_statements: int = 6) -> str:
    """The text of a random spec with one to three inputs, up to three losses, and no data.

    Without `moods` no layer is drawn that computes something else in training than in prediction.
    """
    network = Network()
    _inputs(draw, network, moods)
    for number in range(draw(st.integers(1, max_statements))):
        _statement(draw, network, f"v{number}", moods)
    losses = _outputs(draw, network)
    train = [f"loss = {' + '.join(losses)}", f"optim = {draw(st.sampled_from(sorted(OPTIMIZERS)))}({_rate(draw)})"]
    train.append(f"batch = {draw(st.sampled_from(['2', 'all', 'online']))}")
    train += [f"decay = {_penalty(draw)}"] if draw(st.booleans()) else []
    train += [f"clip = {_call(draw, CLIPS[draw(st.sampled_from(sorted(CLIPS)))])}"] if draw(st.booleans()) else []
    train += [f"constraint = {_constraint(draw)}"] if draw(st.integers(0, 3)) == 0 else []
    train += ["checkpoint = every(2)"] if draw(st.integers(0, 3)) == 0 else []
    init = INITS[draw(st.sampled_from(INITIALISERS))]
    train += [f"init = {_call(draw, init, optional=False)}"] if draw(st.booleans()) else []
    blocks = "".join(text for name, text in BLOCKS.items() if name in network.blocks)
    body = "\n  ".join(network.statements)
    return f"{blocks}model Random {{\n  {body}\n}}\ntrain {{\n  " + "\n  ".join(train) + "\n}\n"


def _call(draw, entry, optional: bool = True, numbers: Mapping[str, list[str]] = NOTHING) -> str:
    """A member of a registry, with the numbers it needs and some of the optional ones: `elu(alpha = 0.7)`."""
    given = [
        f"{arg.name} = {draw(st.sampled_from(numbers.get(arg.name, NUMBERS[arg.kind])))}"
        for arg in entry.args
        if arg.kind in NUMBERS and (arg.default is REQUIRED or (optional and draw(st.booleans())))
    ]
    return f"{entry.name}({', '.join(given)})" if given else entry.name


def _rate(draw) -> str:
    """A learning rate: a number, or any schedule."""
    name = draw(st.sampled_from(["", *sorted(SCHEDULES)]))
    return _call(draw, SCHEDULES[name], numbers=RATES) if name else "0.01"


def _constraint(draw) -> str:
    return draw(st.sampled_from(["max_norm(0.8)", "bounds(-0.5, 0.4)"]))


def _penalty(draw, *, of_layer: bool = False) -> str:
    """A penalty; decoupled decay acts in the update, on all weights alike."""
    fitting = sorted(name for name, penalty in PENALTIES.items() if penalty.op or not of_layer)
    return _call(draw, PENALTIES[draw(st.sampled_from(fitting))])


def _activation(draw, width: int) -> str:
    """An activation for this many units; softmax of a single one is always 1."""
    return _call(draw, LAYERS[draw(st.sampled_from([a for a in ACTIVATIONS if width > 1 or a != "softmax"]))])


def _dense_call(draw, width: int) -> str:
    """A dense layer, with or without activation, bias and a penalty of its own."""
    options = [", bias = false"] * draw(st.booleans())
    options += [f", penalty = {_penalty(draw, of_layer=True)}"] if draw(st.integers(0, 3)) == 0 else []
    return f"dense({width}, {_activation(draw, width)}{''.join(options)})"


def _inputs(draw, network: Network, moods: bool) -> None:
    for number in range(draw(st.integers(1, 2))):
        width = draw(WIDTHS)
        network.add(f"x{number}", width, f"input x{number}: [{width}]")
    if draw(st.booleans()):
        rows, columns, units = draw(WIDTHS), draw(WIDTHS), draw(WIDTHS)
        network.statements.append(f"input table: [{rows}, {columns}]")
        network.add("rows", rows * units, f"rows = table -> {_dense_call(draw, units)} -> flatten")
    if draw(st.integers(0, 2)) == 0:
        _tokens(draw, network)
    if draw(st.integers(0, 2)) == 0:
        _steps_of_time(draw, network, moods)


def _tokens(draw, network: Network) -> None:
    """An input of symbols, as one-hot rows or as learned vectors."""
    length, units = draw(st.integers(2, 3)), draw(st.integers(2, 3))
    network.statements.append(f"input ids: int[{length}]")
    position = draw(st.sampled_from(["", " -> position_embedding", " -> position_encoding"]))
    if draw(st.booleans()):
        network.add("symbols", length * 4, f"symbols = ids -> one_hot(4){position} -> flatten")
    else:
        network.add("symbols", length * units, f"symbols = ids -> embedding(5, {units}){position} -> flatten")


def _steps_of_time(draw, network: Network, moods: bool) -> None:
    """A sequence of vectors that recurrent layers read, one or two above each other, some under a mask."""
    steps, width = draw(st.integers(1, 3)), draw(WIDTHS)
    network.statements.append(f"input sequence: [{steps}, {width}]")
    mask = ""
    if draw(st.booleans()):
        network.statements.append(f"input marks: int[{steps}]")
        mask = draw(st.sampled_from([", marks", ", marks -> padding_mask"]))
    below = draw(st.sampled_from(["sequence", "(sequence -> sequence_dropout(30%))" if moods else "sequence"]))
    if draw(st.booleans()):
        below = f"({_recurrent(draw, below, draw(WIDTHS), draw(st.sampled_from(['', mask])), 'sequence', moods)})"
    units = draw(WIDTHS)
    returns = draw(st.sampled_from(["last", "sequence"]))
    width, end = (units, "") if returns == "last" else (units * steps, " -> flatten")
    if returns == "sequence" and draw(st.booleans()):
        width, end = 2 * steps, f" -> {_dense_call(draw, 2)} -> flatten"
    network.add("read", width, f"read = {_recurrent(draw, below, units, mask, returns, moods)}{end}")


def _recurrent(draw, operand: str, units: int, mask: str, returns: str, moods: bool) -> str:
    """A call of a recurrent layer with some of its options."""
    layer = draw(st.sampled_from(RECURRENT))
    options = [*RECURRENT_OPTIONS, *["dropout = 0.3", "recurrent_dropout = 0.4"] * moods]
    chosen = [option for option in options if draw(st.integers(0, 3)) == 0]
    if layer == "gru" and draw(st.booleans()):
        chosen.append("reset = before")
    if draw(st.booleans()):
        chosen.append(f"act = {draw(st.sampled_from(['sigmoid', 'relu', 'identity', 'silu']))}")
    return f"{layer}({operand}{mask}, {', '.join([str(units), f'returns = {returns}', *chosen])})"


def _value(draw, network: Network) -> str:
    return network.read(draw(st.sampled_from(sorted(network.widths))))


def _fitted(draw, network: Network, width: int, taken: tuple[str, ...] = ()) -> str:
    """An operand of this width; none of the values in `taken`."""
    fitting = sorted(name for name, w in network.widths.items() if w == width and name not in taken)
    if fitting and draw(st.booleans()):
        return network.read(draw(st.sampled_from(fitting)))
    return f"({_value(draw, network)} -> dense({width}, {_activation(draw, width)}))"


def _operands(draw, network: Network, most: int) -> tuple[int, list[str]]:
    """Two or more operands of one width, all of them different."""
    operands = [_value(draw, network)]
    width = network.widths[operands[0]]
    for _ in range(draw(st.integers(1, most - 1))):
        operands.append(_fitted(draw, network, width, tuple(operands)))
    return width, operands


def _statement(draw, network: Network, name: str, moods: bool) -> None:
    kinds = [
        _dense, _activated, _joined, _concatenated, _selected, _centred, _scaled, _sharing, _block, _summed, _reshaped,
        _image, _sequence, _normalised, _attending, _stopped,
    ]  # fmt: skip
    width, expression = draw(st.sampled_from(kinds + [_dropped, _noisy, _batch_normalised] * moods))(
        draw, network, name
    )
    network.add(name, width, f"{name} = {expression}")


def _dense(draw, network: Network, name: str) -> tuple[int, str]:
    width = draw(WIDTHS)
    return width, f"{_value(draw, network)} -> {_dense_call(draw, width)}"


def _activated(draw, network: Network, name: str) -> tuple[int, str]:
    value = _value(draw, network)
    return network.widths[value], f"{value} -> {_activation(draw, network.widths[value])}"


def _joined(draw, network: Network, name: str) -> tuple[int, str]:
    join = draw(st.sampled_from(JOINS))
    width, operands = _operands(draw, network, LAYERS[join].arity[1] or 3)
    if join == "max":  # two sums over nothing, two paths with equal values: a tie everywhere has no derivative
        operands = [f"({operand} -> dense({width}))" for operand in operands]
    return width, f"{join}({', '.join(operands)})"


def _concatenated(draw, network: Network, name: str) -> tuple[int, str]:
    parts = [_value(draw, network) for _ in range(draw(st.integers(2, 3)))]
    return sum(network.widths[p] for p in parts), f"concat({', '.join(parts)})"


def _selected(draw, network: Network, name: str) -> tuple[int, str]:
    switch = _value(draw, network)
    width, branches = _operands(draw, network, 3)
    return width, f"select({switch} -> dense({len(branches)}, softmax), {', '.join(branches)})"


def _centred(draw, network: Network, name: str) -> tuple[int, str]:
    value = _value(draw, network)
    width = network.widths[value]
    mean = f"{value} -> mean_features"
    return (width, f"{value} - ({mean} -> spread({width}))") if width > 1 else (1, mean)


def _summed(draw, network: Network, name: str) -> tuple[int, str]:
    return 1, f"{_value(draw, network)} -> sum_features"


def _scaled(draw, network: Network, name: str) -> tuple[int, str]:
    value = _value(draw, network)
    return network.widths[value], draw(st.sampled_from([f"0.7 * {value}", f"-{value}", f"{value} -> scale(-1.5)"]))


def _sharing(draw, network: Network, name: str) -> tuple[int, str]:
    """Two uses of one layer."""
    first, width, layer = _value(draw, network), draw(WIDTHS), f"s_{name}"
    network.statements.append(f"layer {layer} = {_dense_call(draw, width)}")
    second = _fitted(draw, network, network.widths[first])
    return width, f"({first} -> {layer}) + ({second} -> {layer})"


def _block(draw, network: Network, name: str) -> tuple[int, str]:
    value, count = _value(draw, network), draw(st.integers(1, 2))
    width = network.widths[value]
    calls = {"Residual": f"Residual({width})", "Gated": f"Gated({_activation(draw, width)})"}
    used = draw(st.sampled_from(sorted(calls)))
    network.blocks.add(used)
    return width, f"{value} -> {calls[used] if count == 1 else f'repeat({count}, {calls[used]})'}"


def _reshaped(draw, network: Network, name: str) -> tuple[int, str]:
    """A layer on the last axis of a value that was given several."""
    value, units = _value(draw, network), draw(WIDTHS)
    width = network.widths[value]
    rows = draw(st.sampled_from([n for n in range(1, width + 1) if width % n == 0]))
    columns = width // rows
    if draw(st.integers(0, 3)) == 0:
        return width, f"{value} -> reshape([1, {rows}, {columns}]) -> {_activation(draw, columns)} -> flatten"
    layers = f"dense({units}, {_activation(draw, units)})"
    return rows * units, f"{value} -> reshape([{rows}, {columns}]) -> {layers} -> flatten"


def _image(draw, network: Network, name: str) -> tuple[int, str]:
    """A value as an image, one or two layers on it, and a dense layer behind."""
    return _moved_over(draw, network, [draw(st.integers(3, 5)), draw(st.integers(3, 5))])


def _sequence(draw, network: Network, name: str) -> tuple[int, str]:
    return _moved_over(draw, network, [draw(st.integers(4, 7))])


def _moved_over(draw, network: Network, lengths: list[int]) -> tuple[int, str]:
    """Layers that move over images or sequences: every one leaves something for the next."""
    channels, width = draw(st.integers(1, 3)), draw(WIDTHS)
    size = channels
    for length in lengths:
        size *= length
    stages = [f"dense({size})", f"reshape([{', '.join(map(str, [*lengths, channels]))}])"]
    stages += [draw(st.sampled_from(_moving(draw, len(lengths)))) for _ in range(draw(st.integers(1, 3)))]
    end = draw(st.sampled_from(["flatten", "maxpool_global", "avgpool_global"]))
    return width, " -> ".join([_value(draw, network), *stages, end, f"dense({width})"])


def _moving(draw, rank: int) -> list[str]:
    """One call of every layer that moves over `rank` axes; all of them fit whatever is left of an image."""
    k, s, filters = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    act = draw(st.sampled_from(["relu", "tanh", "identity"]))
    pad = draw(st.sampled_from(["same", "3", str([[2, 1]] * rank)]))
    dilation = f"dilation = {draw(st.integers(1, 2))}" if s == 1 else f"stride = {s}"
    return [
        f"conv{rank}d({filters}, {k}, {act}, pad = {pad}, {dilation})",
        f"conv{rank}d({filters}, 3, {act}, pad = same) -> maxpool(2, pad = same)",
        f"conv{rank}d({filters}, 3, {act}, pad = 1) -> zeropad(1) -> maxpool(2)",
        f"conv{rank}d({filters}, {k}, pad = same) -> conv{rank}d({2 * filters}, 2, pad = same, groups = {filters})",
        f"conv{rank}d_transpose({filters}, {k}, {act}, stride = {s})",
        f"zeropad({pad.replace('same', '2')}) -> maxpool({k}, {s})",
        f"zeropad(2) -> avgpool({k}, {s}) -> upsample(2)",
        *(["depthwise_conv2d(2, pad = same, multiplier = 2)"] if rank == 2 else []),
    ]


def _normalised(draw, network: Network, name: str) -> tuple[int, str]:
    """Layer norm; of a single feature it would be a constant."""
    value = _value(draw, network)
    width = network.widths[value]
    wide = value if width > 1 else f"{value} -> dense(3)"
    return max(width, 3 * (width == 1)), f"{wide} -> {_norm_call(draw, 'layernorm')}"


def _attending(draw, network: Network, name: str) -> tuple[int, str]:
    """Attention within a sequence, or from one to another; one position would leave the softmax nothing to weigh."""
    length, keys, width = draw(st.integers(2, 3)), draw(st.integers(2, 3)), draw(st.integers(1, 3))
    causal = draw(st.sampled_from(["", ", causal = true"]))
    sequence = f"{_value(draw, network)} -> dense({length * width}) -> reshape([{length}, {width}])"
    if draw(st.booleans()):
        bias = draw(st.sampled_from(["", ", bias = false"]))
        heads, size = draw(st.integers(1, 2)), draw(st.integers(1, 3))
        return length * width, f"{sequence} -> multi_head_attention({heads}, {size}{causal}{bias}) -> flatten"
    key, value = (f"({_value(draw, network)} -> dense({keys * width}) -> reshape([{keys}, {width}]))" for _ in "kv")
    return length * width, f"attention(({sequence}), {key}, {value}{causal}) -> flatten"


def _stopped(draw, network: Network, name: str) -> tuple[int, str]:
    """A value times itself as a constant: half of the derivative of its square."""
    value = _value(draw, network)
    return network.widths[value], f"{value} * ({value} -> stop_gradient)"


def _noisy(draw, network: Network, name: str) -> tuple[int, str]:
    value = _value(draw, network)
    return network.widths[value], f"{value} -> gaussian_noise({draw(st.sampled_from(['0', '0.3', '1.5']))})"


def _batch_normalised(draw, network: Network, name: str) -> tuple[int, str]:
    value = _value(draw, network)
    return network.widths[value], f"{value} -> {_norm_call(draw, 'batchnorm')}"


def _norm_call(draw, name: str) -> str:
    options = [f"{part} = false" for part in ("gamma", "beta") if draw(st.integers(0, 3)) == 0]
    return f"{name}({', '.join(options)})" if options else name


def _dropped(draw, network: Network, name: str) -> tuple[int, str]:
    value = _value(draw, network)
    return network.widths[value], f"{value} -> {_call(draw, LAYERS['dropout'])}"


def _outputs(draw, network: Network) -> list[str]:
    """Add outputs that read all that is left; return the terms of the loss."""
    left = [network.read(name) for name in list(network.unread)]
    source = left[0] if len(left) == 1 else "everything"
    if len(left) > 1:
        network.statements.append(f"everything = concat({', '.join(left)})")
    return [term for number in range(draw(st.integers(1, 2))) for term in _output(draw, network, number, source)]


def _output(draw, network: Network, number: int, source: str) -> list[str]:
    """Add an output and its target; return one term of the loss, or two."""
    name, width = draw(st.sampled_from(sorted(LOSSES))), draw(st.integers(2, 4))
    target = LOSSES[name].target
    stage, shape = f" -> dense({width}){OUTPUT_STAGE.get(target, '')}", f"[{width}]"
    if target == "class" and draw(st.booleans()):
        shape = f"class[{width}]"
    elif draw(st.integers(0, 4)) == 0:  # a target of two axes
        stage, shape = f" -> dense({2 * width}) -> reshape([2, {width}]){OUTPUT_STAGE.get(target, '')}", f"[2, {width}]"
    elif draw(st.integers(0, 4)) == 0:
        stage = _headed(draw, network, f"head{number}", width, OUTPUT_STAGE.get(target, ""))
    network.statements.append(f"target t{number}: {shape}")
    kind = "" if number and draw(st.booleans()) else "output "  # the first is one; others may be for the loss alone
    network.statements.append(f"{kind}y{number} = {source}{stage}")
    alike = sorted(n for n, loss in LOSSES.items() if loss.target == target)
    names = [name, draw(st.sampled_from(alike))] if draw(st.integers(0, 4)) == 0 else [name]
    return [_term(draw, name, number) for name in names]


def _headed(draw, network: Network, head: str, width: int, end: str) -> str:
    """Declare a layer, its activation inside or behind it; return stages that use it twice."""
    inside = bool(end) and draw(st.booleans())
    network.statements.append(f"layer {head} = dense({width}{end.replace(' -> ', ', ') if inside else ''})")
    return f" -> dense({width}) -> {head} -> tanh -> {head}{'' if inside else end}"


def _term(draw, name: str, number: int) -> str:
    weight = draw(st.sampled_from(["", "0.3 * "]))
    reduce = draw(st.sampled_from(["", ", reduce = sum", ", reduce = mean"]))
    numbers = [
        f", {arg.name} = {draw(st.sampled_from(NUMBERS[arg.kind]))}"
        for arg in LOSSES[name].args
        if arg.kind in NUMBERS and draw(st.booleans())
    ]
    return f"{weight}{name}(y{number}, t{number}{''.join(numbers)}{reduce})"
