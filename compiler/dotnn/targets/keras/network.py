"""The body of `build_model`: one Keras layer for each statement of the spec, in Keras's functional style."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from dotnn.codegen import paste
from dotnn.codegen.hygiene import Mark
from dotnn.codegen.lines import Banners, literal
from dotnn.codegen.training import rescaled
from dotnn.core.arguments import Bound, Symbol
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.ir.expr import Unspellable
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.library.layers import Layer
from dotnn.library.layers.base import Attrs, ShapeError, Types
from dotnn.model.model import Model, Parameter, Step
from dotnn.passes.build import identifier
from dotnn.targets.keras import parameters, rules
from dotnn.targets.keras.call import Keras
from dotnn.targets.keras.cells import cell
from dotnn.targets.keras.layout import with_remark
from dotnn.targets.keras.lowered import PACKAGES, function, numbered, refusal
from dotnn.targets.keras.parameters import lenders
from dotnn.targets.keras.rules.recurrent import HELD, is_held

NO_VARIABLES: dict[str, str] = {}


@dataclass(frozen=True)
class Part:
    """One Keras layer of a statement: a dense layer whose activation Keras has no word for is two."""

    keras: Keras
    name: str
    owner: str  # what its parameters belong to, "" where it has none
    out: Value

    @property
    def key(self) -> tuple[str, str]:
        """What tells a layer that is used again from another one."""
        return self.owner, self.keras.name


@dataclass
class Shared:
    """A Keras layer that has several uses: its variable in the script, its name, and the value that was made last."""

    word: str
    layer: str
    last: str = ""


class Network:
    """The lines of `build_model` and, by name, the variables and the values that the rest of the script asks for.

    lines      the body up to the model itself
    outputs    name of the spec -> Python name of the Keras tensor; also what only the loss reads
    read       key in `values` -> Keras layer that makes it, for what the loss or a metric reads besides the outputs
    keys       value number -> its key in `values`
    variables  parameter -> (Keras layer, its attribute); `bias[0]` is a row
    layers     path of a statement -> name of its (first) Keras layer, which all uses of a shared layer have in common
    functions  name -> source of what is made of the formulas of a layer without a rule
    xla        whether XLA speeds all layers up on a CPU
    sparse     whether TensorFlow makes the gradient of a layer as a list of rows

    With `distributed`, replicas share a batch. The values of `graph` have the `mark`, and so has what is called after a
    statement (`words_made`, without the mark); none of it is called by one of `words`.
    """

    def __init__(
        self, model: Model, graph: Graph, mark: Mark, words: Collection[str] = (), *, distributed: bool = False
    ) -> None:
        self.mark, self.words_made = mark, set[str]()
        self.model, self.graph, self.distributed = model, graph, distributed
        self.banners = Banners(model)
        self.lines: list[str] = []
        self.outputs: dict[str, str] = {}
        self.read: dict[str, str] = {}
        self.keys: dict[int, str] = {}
        self.variables: dict[str, tuple[str, str]] = {}
        self.layers: dict[str, str] = {}
        self.functions: dict[str, str] = {}
        self.xla = True
        self.sparse = False
        self.values: dict[str, Value] = {**graph.inputs, **graph.steps}
        self._wanted = _read_values(model, graph, self.values)
        self._producers = graph.producers()
        outputs = graph.outputs.values()
        self._looked_up = self._wanted.keys() & graph.needed_for(outputs) - {v.id for v in outputs}
        self._taken = set(model.inputs)
        self._words = _names(graph) | {mark.put(word) for word in words}
        self._uses = Counter([*(_owner(step) for step in model.steps if step.params), *lenders(model.steps)])
        self.loose = set[int]()
        self._held = {_owner(step) for step in model.steps if is_held(step.attrs)}
        self._ranks = _ranks_of_operands(model.steps, self.values)
        self._made: dict[tuple[str, str], Shared] = {}
        # An activation is a layer of its own where a sum is read, in all uses of the layer that makes it.
        self._apart = {_owner(s) or s.path for s in model.steps if self._before_activation(s).id in self._wanted}
        self._layer_of: dict[int, str] = {v.id: name for name, v in graph.inputs.items()}
        self._write()

    def _write(self) -> None:
        for name, value in self.graph.inputs.items():
            kind = self.model.input_kind(name)
            dtype = "" if kind == "real" else ', dtype="int32"'
            self.lines.append(f'{value.name} = keras.Input({literal(value.type.example)}, name="{name}"{dtype})')
        for step in self.model.steps:
            self._step(step)
        for name, value in self.graph.outputs.items():
            if value.role == "input":  # a model's output must come from a layer
                self.lines.append(
                    f'{self._word(name)} = keras.layers.Identity(name="{self.free_name(name)}")({value.name})'
                )
                self.outputs[name] = self._word(name)
            else:
                self.outputs[name] = value.name
                self.keys.setdefault(value.id, name)
        for value in self._wanted.values():
            if value.id in self.keys:
                continue
            self.keys[value.id] = key = self._key(value)
            if value.id in self._looked_up:
                self.read[key] = self._layer_of[value.id]
            else:  # no layer of a Keras model stands beside the way to its outputs
                self.outputs[key] = value.name

    def _key(self, value: Value) -> str:
        """Return the key in `values` of one that is no output of the spec."""
        key = value.name
        while key in self.outputs:
            key += "_"
        return key

    def _name_value(self, value: Value) -> None:
        """Give a value that is read a layer of its own, to be found by: what made it serves for others, too."""
        if value.id in self._looked_up and value.id not in self._layer_of:
            layer = self.free_name(value.name)
            self.lines.append(f'{value.name} = keras.layers.Identity(name="{layer}")({value.name})')
            self._layer_of[value.id] = layer

    # ------------------------------------------------------------------------------------------------ statements

    def _step(self, step: Step) -> None:
        operands = [*(self.values[path] for path in step.ins), *parameters.operands(self, step)]
        attrs = {**step.attrs, HELD: True} if _owner(step) in self._held else step.attrs
        main = self._counterpart(step, step.layer, [v.type for v in operands], attrs)
        main = self._for_replicas(step, main) if self.distributed else self._for_all_ranks(step, main)
        parts = self._parts(step, main)
        self.xla &= all(part.keras.xla for part in parts)
        self.sparse |= any(part.keras.name == "keras.layers.Embedding" for part in parts)
        comment = f"{step.type}{self.banners.place(self._node(step))}"
        for part, following in zip(parts, [*parts[1:], None], strict=True):
            self._part(step, part, operands, comment)
            operands, comment = [part.out], ""
            if following is None or following.out is not part.out:
                self._name_value(part.out)

    def _counterpart(self, step: Step, layer: Layer, types: Types, attrs: Attrs) -> Keras:
        """Return the call of a layer by its rule, else of a function of its formulas. Raises `CompileError`."""
        try:
            if layer.expand is not None:
                return cell(layer, types, attrs, self.functions)
            rule = rules.LAYERS.get(layer.name) or rules.VALUES.get(layer.name)
            return rule.call(types, attrs) if rule else self._lowered(layer, types, attrs)
        except ShapeError as error:
            message = f"{layer.name} cannot be written for TensorFlow: {error}"
            raise refusal(self.model, step.span, message, error.help) from None
        except Unspellable as error:
            message = f"{layer.name} cannot be written for TensorFlow: {error}"
            raise refusal(self.model, step.span, message) from None

    def _lowered(self, layer: Layer, types: Types, attrs: Attrs) -> Keras:
        """Return the call of a function that is made of a layer's ops. Raises `Unspellable`."""
        wanted = layer.definition.name if layer.definition else layer.name
        free = (name for name in numbered(wanted) if name not in paste.library(PACKAGES))
        name = next(name for name in free if self._is_function(name, layer, types, attrs))
        alike = len(types) == 1 and layer.infer(types, attrs) == types[0]
        return Keras("keras.layers.Activation" if alike else "Formula", (Symbol(name),))

    def _is_function(self, name: str, layer: Layer, types: Types, attrs: Attrs) -> bool:
        """Whether the script has this layer, with these attributes, as the function of this name from now on."""
        text = function(layer, name, types, attrs)
        return self.functions.setdefault(name, text) == text

    def _for_all_ranks(self, step: Step, call: Keras) -> Keras:
        """Return what stands for a shared layer whose uses have operands of different numbers of axes."""
        several = len(self._ranks.get(_owner(step), ())) > 1
        return replace(call, name=call.any_rank) if call.any_rank and several else call

    def _for_replicas(self, step: Step, call: Keras) -> Keras:
        """Return what stands for a layer where replicas share a batch; refuse one that would compute something else."""
        if call.replicas:
            return replace(call, name=call.replicas)
        if any(n.rule.random for n in self.graph.phase("forward") if n.layer == step.path):
            message = f"{step.layer.name} cannot draw the same numbers when replicas share the batch"
            help = "put sequence_dropout or dropout in front of it instead, or compile without --distribute"
        elif step.attrs.get("stateful"):
            message = f"{step.layer.name} cannot carry its state from batch to batch when replicas share the batch"
            help = "compile without --distribute"
        elif self._has_state(step):
            message = f"{step.layer.name} would take its statistics of a replica's examples, not of the whole batch"
            help = "compile without --distribute"
        else:
            return call
        raise CompileError([Diagnostic("NN508", message, step.span, help=help)], self.model.source)

    def _parts(self, step: Step, main: Keras) -> list[Part]:
        """Return the layers of a statement: what comes first, the layer itself, its activation, what comes last."""
        out, owner = self.values[step.path], _owner(step)
        name = owner or step.path
        before, then = (_without_params(keras, name, out) for keras in (main.before, main.then))
        if main.act is None or main.act.name == "identity":
            return [*before, Part(main, name, owner, out), *then]
        entry, attrs = main.act.entry, main.act.attrs
        act = self._counterpart(step, entry, [step.type], attrs)
        inner = self._before_activation(step)
        if act.word is not None and name not in self._apart:
            whole = replace(main, options={"activation": act.word, **main.options})
            return [*before, Part(whole, name, owner, out), *then]
        second = step.path if step.path != name else f"{step.path}.{entry.name}"
        has_params = bool(entry.params([step.type], attrs))
        last = Part(act, second, owner if has_params else "", out)
        return [*before, Part(main, name, owner, inner), *(replace(p, out=inner) for p in then), last]

    def _has_state(self, step: Step) -> bool:
        return any(full in self.graph.new_state for full in step.params.values())

    def _before_activation(self, step: Step) -> Value:
        """Return what the activation of a statement is applied to: its first operand where it has none."""
        return self._producers[self.values[step.path].id].ins[0]

    def _node(self, step: Step) -> Node:
        return self._producers[self.values[step.path].id]

    def _part(self, step: Step, part: Part, operands: list[Value], comment: str) -> None:
        names = [v.name for v in operands]
        if part.keras.is_function:
            given = [part.keras.operands.format(*names)] if part.keras.operands else names
            self.line(f"{part.out.name} = {part.keras.name}(", given + self._arguments(step, part.keras), ")", comment)
            self._layer_of.pop(part.out.id, None)
            return
        if self._uses[part.owner] > 1:
            self._use(step, part, names, comment)
            return
        layer, arguments = self._layer(step, part)
        self.line(f"{part.out.name} = {part.keras.name}(", arguments, f")({_given(part.keras, names)})", comment)
        self._layer_of[part.out.id] = layer

    def _layer(self, step: Step, part: Part) -> tuple[str, list[str]]:
        """Return the name of a new Keras layer, and the arguments of the call that makes it."""
        # What has parameters has the name of its statement; what follows it there, such as a pooling, is named in full.
        layer = self.free_name(part.name if part.name not in self._taken else f"{step.path}.{step.layer.name}")
        self.variables |= self._variables_of(step, part, layer)
        self.layers.setdefault(step.path, layer)
        return layer, [*self._call(step, part), f'name="{layer}"']

    def _use(self, step: Step, part: Part, names: list[str], comment: str) -> None:
        """Write a use of a shared layer; the first has the layer in front of it.

        Keras runs uses that do not depend on each other in an order of its own. State is renewed in the graph's order.
        """
        shared = self._made.get(part.key)
        if shared is None:
            layer, arguments = self._layer(step, part)
            shared = self._made[part.key] = Shared(self._word(part.name), layer)
            place = self.banners.place(self._node(step)).strip()
            self.line(f"{shared.word} = {part.keras.name}(", arguments, ")", place)
        elif self._has_state(step):
            names[0] = f'After(name="{self.free_name(f"{step.path}.after")}")([{names[0]}, {shared.last}])'
        self.layers.setdefault(step.path, shared.layer)
        self.line(f"{part.out.name} = {shared.word}(", [_given(part.keras, names)], ")", comment)
        shared.last = part.out.name

    def line(self, start: str, items: list[str], end: str, comment: str) -> None:
        """Append a line with a comment, whose items may be broken."""
        self.lines += with_remark(f"{start}{', '.join(items)}{end}", comment)

    def _variables_of(self, step: Step, part: Part, layer: str) -> dict[str, tuple[str, str]]:
        known = part.keras.variables if part.owner else NO_VARIABLES
        return {full: (layer, known[short]) for short, full in step.params.items() if short in known}

    def _options(self, step: Step, part: Part) -> Iterable[str]:
        """Return what is said of the single variables: penalties and constraints. Some have one word for several."""
        for full, (_, attribute) in self._variables_of(step, part, "").items():
            penalty, constraint = self.model.params[full].penalty, self.model.params[full].constraint
            variable = attribute.rpartition(".")[2]
            word = part.keras.keywords.get(variable, variable.removesuffix("_kernel"))
            for what, bound in (("regularizer", penalty), ("constraint", constraint)):
                if bound is not None:
                    yield f"{word}_{what}={parameters.of_weight(self, bound, self.model.params[full])}"

    def _call(self, step: Step, part: Part) -> list[str]:
        """Return the arguments of a layer; what is said of its variables goes to the cell, if it has one."""
        call, options = part.keras, dict.fromkeys(self._options(step, part))
        if call.cell is None:
            return [*self._arguments(step, call), *options]
        if call.cell.by_name:
            options = dict.fromkeys(parameters.tables(self, self._owned(step)))
        cell = ", ".join([*self._arguments(step, call.cell), *options])
        return [f"{call.cell.name}({cell})", *self._arguments(step, call)]

    def _owned(self, step: Step) -> dict[str, Parameter]:
        return {short: self.model.params[full] for short, full in step.params.items()}

    def _arguments(self, step: Step, call: Keras) -> list[str]:
        given = [f"{name}={self._text(step, value)}" for name, value in call.options.items()]
        return [*(self._text(step, value) for value in call.arguments), *given]

    def _text(self, step: Step, value: object) -> str:
        if not isinstance(value, Bound):
            return value.id if isinstance(value, Symbol) else literal(value)
        if value.name == "identity":
            return "None"
        act = self._counterpart(step, value.entry, [step.type], value.attrs)
        if act.word is not None:
            return self._text(step, act.word)
        return f"{act.name}({', '.join(self._arguments(step, act))})"

    # ----------------------------------------------------------------------------------------------------- names

    def free_name(self, name: str) -> str:
        """Return a name that no Keras layer has yet."""
        return _distinct(name, self._taken)

    def word_of_layer(self, layer: str) -> str:
        """Return the Python name of a Keras layer that several lines read."""
        return next(shared.word for shared in self._made.values() if shared.layer == layer)

    def _word(self, name: str) -> str:
        """Return a Python name that nothing has yet."""
        word = _distinct(self.mark.put(identifier(name)), self._words)
        self.words_made.add(self.mark.plain(word))
        return word


def _given(call: Keras, names: list[str]) -> str:
    """Return the operands as the layer takes them."""
    return call.operands.format(*names) if call.operands else names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _distinct(wanted: str, taken: set[str]) -> str:
    name = next(n for n in numbered(wanted) if n not in taken)
    taken.add(name)
    return name


def _kind(call: Keras) -> str:
    return call.name.rpartition(".")[2].lower()


def _without_params(call: Keras | None, name: str, out: Value) -> list[Part]:
    """Return a layer beside that of a statement as a part of it, none where there is none."""
    return [Part(call, f"{name}.{_kind(call)}", "", out)] if call else []


def _names(graph: Graph) -> set[str]:
    """Return the Python names of the values that the body of `build_model` may make."""
    sources = (*graph.inputs.values(), *graph.weights.values())
    return {value.name for value in sources} | {v.name for node in graph.nodes for v in node.outs}


def _ranks_of_operands(steps: Iterable[Step], values: Mapping[str, Value]) -> dict[str, set[int]]:
    """Return how many axes the first operands of each owner's uses have."""
    ranks: dict[str, set[int]] = {}
    for step in steps:
        ranks.setdefault(_owner(step), set()).add(len(values[step.ins[0]].type.shape))
    return ranks


def _owner(step: Step) -> str:
    return next((full.removesuffix(f".{short}") for short, full in step.params.items()), "")


def is_view(value: Value, producers: Mapping[int, Node], made: Collection[int]) -> bool:
    """Whether only the loss reads this reshape: no layer makes it. `made` are the numbers of what layers make."""
    return value.id not in made and value.id in producers and producers[value.id].op == "reshape"


def _read_by_losses(graph: Graph) -> list[Value]:
    """Return the values of the network that the losses read, but no targets, no parameters and no losses."""
    losses = graph.phase("loss")
    computed = {v.id for n in losses for v in n.outs}
    return [v for n in losses for v in n.ins if v.id not in computed and v.role not in ("target", "param")]


def _read_values(model: Model, graph: Graph, values: dict[str, Value]) -> dict[int, Value]:
    """Return what the loss, the metrics and the start of the weights read of the network, by number."""
    producers = graph.producers()
    made = {v.id for v in (*values.values(), *graph.inputs.values())}
    read = _read_by_losses(graph)
    read = [producers[v.id].ins[0] if is_view(v, producers, made) else v for v in read]
    read += [values[path] for m in model.train.metrics for path in m.values]
    read += rescaled(model, graph).values()
    return {v.id: v for v in read}
