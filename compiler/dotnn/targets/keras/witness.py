"""The same network twice, in double precision: the NumPy script, and the TensorFlow script fed with what it draws.

TensorFlow is imported by the script that is run here, never by dotnn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import cycle
from typing import Any, Protocol

import numpy as np

from dotnn.codegen import optimizer as equations_of
from dotnn.codegen.hygiene import Mark
from dotnn.ir.graph import Graph
from dotnn.ir.interpret import run
from dotnn.ir.node import Node
from dotnn.model.definitions.penalty import DefinedPenalty
from dotnn.model.model import Model
from dotnn.running.peer import Arrays
from dotnn.running.scripts import run_script
from dotnn.targets.keras.needs import NEEDS
from dotnn.targets.keras.network import Network
from dotnn_runtime.gradcheck import Point, Witness


class Tensor(Protocol):
    """A number or an array of TensorFlow."""

    def numpy(self) -> np.ndarray:
        """Return it as an array."""
        ...

    def __float__(self) -> float: ...


class KerasPeer:
    """The TensorFlow script of a model, computing in float64 without TF32 until the end of its `with` block.

    What the NumPy script draws (dropout masks, noise) is handed over: instead of drawing itself, a random Keras layer
    computes its statement's ops with the arrays in `draws`, which `draw` draws as the script does.
    """

    title = "TensorFlow"

    def __init__(self, model: Model, graph: Graph, script: str) -> None:
        self.graph = graph
        self.starts = {start for start in equations_of.slots(model.train).values() if start}
        self.module = run_script(script, "dotnn_tensorflow", model.source.path, NEEDS)
        self.draws: Arrays = {}
        self.precision = self.module.keras.config.floatx()
        self.module.tf.config.experimental.enable_tensor_float_32_execution(False)
        self.module.set_precision("float64")
        built = self.module.build_model()
        for layer in built.layers:
            self._keep_exact(layer)
        for name, p in model.params.items():
            if p.penalty is not None and not isinstance(p.penalty.entry, DefinedPenalty):
                regularizer = self.module.variables(built)[name].regularizer
                numbers = zip(vars(regularizer), p.penalty.attrs.values(), strict=True)
                vars(regularizer).update({key: np.float64(value) for key, value in numbers})
        self.network = self.module.training_model(built) if hasattr(self.module, "training_model") else built
        self._feed(Network(model, self.graph, Mark.for_text("")).layers)

    def __enter__(self) -> KerasPeer:
        return self

    def __exit__(self, *error: object) -> None:
        self.module.set_precision(self.precision)

    def _feed(self, layers: Mapping[str, str]) -> None:
        """Let every random layer take what is drawn for it; `layers` maps each use, by its path, to the layer."""
        uses: dict[str, list[str]] = {}
        for path in random_steps(self.graph):
            uses.setdefault(layers[path], []).append(path)
        for name, paths in uses.items():
            layer = self.network.get_layer(name)
            feed = partial(self._with_masks, layer.cell, layer.call) if hasattr(layer, "cell") else self._computed
            layer.call = _by_turns([partial(feed, paths[use]) for use in self._order_of_uses(layer)])

    def _order_of_uses(self, layer: Any) -> list[int]:
        """Return which use of a layer is run first, which second, …: Keras goes through a network by depth."""
        by_depth = self.network._nodes_by_depth
        run = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if node.operation is layer]
        return [layer._inbound_nodes.index(node) for node in run]

    def _with_masks(
        self, cell: object, call: Callable[..., object], path: str, *operands: object, **options: object
    ) -> object:
        """Call a recurrent layer with the masks of one use, of its inputs and its state: one, or the same per gate."""
        count = getattr(cell, "dropout_mask_count", None)
        drawn = [node for node in self._nodes_of(path) if node.rule.random]
        of_inputs = [self.draws[n.out.name][:, 0] for n in drawn if n.op == "sequence_dropout_mask"]
        of_state = [self.draws[n.out.name] for n in drawn if n.op != "sequence_dropout_mask"]
        for getter, masks in (("get_dropout_mask", of_inputs), ("get_recurrent_dropout_mask", of_state)):
            if masks:  # inputs stand side by side
                mask = self.module.tf.concat(masks, axis=-1)
                setattr(cell, getter, lambda _, masks=[mask] * count if count else mask: masks)
        return call(*operands, **options)

    def _computed(self, path: str, x: object, training: bool | None = None) -> object:
        """Return the value of a random statement by its own ops, with what was drawn for it."""
        nodes = self._nodes_of(path)
        values = {nodes[0].ins[0].id: x}
        for node in nodes:
            values[node.out.id] = self.draws[node.out.name] if node.rule.random else _value(node, values)
        return values[nodes[-1].out.id]

    def _nodes_of(self, path: str) -> list[Node]:
        return [node for node in self.graph.phase("forward") if node.layer == path]

    def draw(self, params: Arrays, batch: Arrays, rng: np.random.Generator, piece: int = 0) -> None:
        """Keep what a NumPy script draws in a forward pass: the interpreter draws the same in the same order.

        With a `piece` it draws for so many examples after the other, by which the batch is computed there.
        """
        forward = self.graph.with_nodes(self.graph.phase("forward"))
        drawn = [node.out for node in forward.nodes if node.rule.random]
        count = len(next(iter(batch.values())))
        passes = []
        for start in range(0, count, piece or count) if drawn else ():
            part = {name: values[start : start + (piece or count)] for name, values in batch.items()}
            passes.append(run(forward, {**params, **part}, rng=rng))
        whole = {v.name: [values[v.id] for values in passes] for v in drawn}
        self.draws = {name: arrays[0] if len(arrays) == 1 else np.concatenate(arrays) for name, arrays in whole.items()}

    def witness(self) -> Witness:
        """Return the loss, the outputs and the gradients at a point, with the draws of a NumPy script there."""

        def witness(point: Point) -> tuple[float, Arrays, Arrays]:
            self.draw(point.params, point.batch, np.random.default_rng(point.rng_seed))
            return self.loss_and_grads(point.params, point.batch)

        return witness

    def loss_and_grads(self, params: Arrays, batch: Arrays) -> tuple[float, Arrays, Arrays]:
        """Return the loss, the outputs and the gradients in training mode, with the draws taken last.

        Those by the network's real inputs are of a tape around the script's own.
        """
        tf = self.module.tf
        tensors = {name: tf.constant(values) for name, values in batch.items()}
        real = {name: tensors[name] for name, (kind, _) in self.module.INPUTS.items() if kind == "real"}
        self.module.assign(self.network, params)
        with tf.GradientTape() as tape:
            tape.watch(real)
            loss, grads = self.module.loss_and_grads(self.network, tensors)
        by_input = tape.gradient(loss, real, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        self.module.assign(self.network, params)  # what a layer carries from batch to batch has gone on
        values = self.network({name: tensors[name] for name in self.module.INPUTS}, training=True)
        outputs = {name: values[name].numpy() for name in self.module.OUTPUTS}
        self.module.assign(self.network, params)
        inputs = {name: tf.convert_to_tensor(grad).numpy() for name, grad in by_input.items()}
        return float(loss), outputs, {**self.arrays(grads), **inputs}

    def make_step(self) -> Callable[[Arrays, float], tuple[float, Arrays]]:
        """Return a function that takes one step on a batch at a learning rate, with the draws taken last.

        It returns the loss and the gradients before the step; like the script's own step it is a TensorFlow graph.
        """
        optimizer = self.module.make_optimizer(self.network)
        self._keep_exact(optimizer)
        for memory in optimizer.variables:  # the number it starts from is rounded to float32, too
            for start in self.starts:
                if np.all(memory.numpy() == np.float32(start)):
                    memory.assign(np.full(memory.shape, start))

        def graph(batch: Arrays, draws: Arrays) -> tuple[Tensor, dict[str, Tensor]]:
            self.draws = draws
            loss, grads = self.module.loss_and_grads(self.network, batch)
            with self.module.tf.control_dependencies([loss]):
                optimizer.apply(list(grads.values()), list(self.module.trained(self.network).values()))
            return loss, grads

        run = self.module.tf.function(graph, autograph=False)

        def step(batch: Arrays, rate: float) -> tuple[float, Arrays]:
            optimizer.learning_rate = rate
            loss, grads = run(batch, self.draws)
            return float(loss), self.arrays(grads)

        return step

    def _keep_exact(self, part: object) -> None:
        """Let a Keras layer or optimizer compute with its numbers as they are.

        Keras rounds Python's floats to float32 (`ops.cast(0.9, "float64")` is 0.8999999762), but not NumPy's;
        `tf.nn.leaky_relu` has no other slope than a float32.
        """
        keras, tf = self.module.keras, self.module.tf
        for name, value in list(vars(part).items()):
            if type(value) is float:
                setattr(part, name, np.float64(value))
            elif isinstance(value, keras.Layer):
                self._keep_exact(value)
        if isinstance(part, keras.layers.LeakyReLU):
            part.call = lambda z: tf.where(z > 0, z, part.negative_slope * z)

    def arrays(self, tensors: Mapping[str, Tensor]) -> Arrays:
        """Return gradients as arrays by the spec's names."""
        arrays = {name: value.numpy() for name, value in tensors.items()}
        return self.module.unstack(arrays) if hasattr(self.module, "unstack") else arrays


def _by_turns(calls: Sequence[Callable[..., object]]) -> Callable[..., object]:
    """Return a function that is one of `calls` after the other, over and over."""
    turns = cycle(calls)
    return lambda *operands, **options: next(turns)(*operands, **options)


def random_steps(graph: Graph) -> list[str]:
    """Return the paths of the statements that draw random numbers."""
    return list(dict.fromkeys(n.layer for n in graph.phase("forward") if n.rule.random))


def _value(node: Node, values: Mapping[int, object]) -> object:
    """Return the value of a node of a random statement: its NumPy line, which there is arithmetic only."""
    names = {v.id: f"_{i}" for i, v in enumerate(node.ins)}
    line = node.rule.line(node, lambda v: names[v.id])
    return eval(line, {names[v.id]: values[v.id] for v in node.ins})
