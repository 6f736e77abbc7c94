"""The training of a script: the optimizer's memory and its update, the loop, the figures."""

from __future__ import annotations

import re
import textwrap

from dotnn.codegen import data as shared
from dotnn.codegen import learning_rate, optimizer
from dotnn.codegen import training as common
from dotnn.codegen.epochs import HEAD, Loop, Words
from dotnn.codegen.lines import literal
from dotnn.codegen.printer import aligned, docstring
from dotnn.codegen.regime import constraint_lines
from dotnn.codegen.wrap import INDENT, WIDTH, wrapped
from dotnn.core.arguments import show
from dotnn.ir.graph import Graph
from dotnn.model.model import Model
from dotnn.targets.numpy.explain.network import Network
from dotnn.targets.numpy.explain.prose import function, lines_of, prose
from dotnn.targets.numpy.explain.spec_text import SpecText

HISTORY = '''
class History(list):
    """One record per epoch; and how training ended."""
    stopped_by, best_epoch, diverged_at, scaling, test = "epochs", 0, "", {}, {}
'''
ARGUMENTS = [
    "data=None", "*", "epochs=EPOCHS", "seed=SEED", "dtype=np.float32", "params=None", "resume=None", "on_epoch=None",
]  # fmt: skip
DOC = """Train on raw arrays by name (None: the spec's own); return the parameters and one record per epoch.
`on_epoch(record, state)` gets all that training goes on from; `resume` takes such a state."""
INLINE_METRICS = {
    "accuracy_class": "np.mean({out}.argmax(axis=-1) == {target})",
    "accuracy_onehot": "np.mean({out}.argmax(axis=-1) == {target}.argmax(axis=-1))",
    "accuracy_binary": "np.mean(({out} > 0.5) == ({target} > 0.5))",
    "accuracy_sign": "np.mean(({out} > 0) == ({target} > 0))",
}


class TrainingWriter:
    """Writes the functions of the training; `network` says where `evaluate` finds what metrics are of."""

    def __init__(self, model: Model, graph: Graph, spec: SpecText, network: Network) -> None:
        self.model, self.graph, self.spec = model, graph, spec
        self.sources, self.vanishing = network.metrics, network.vanishing
        self.train = model.train
        self.early = common.early_stop(model)
        self.slots = optimizer.slots(self.train)
        self.full = not self.train.batch
        self.rate = learning_rate.current(self.train)
        self.formula = learning_rate.formula(self.train)
        self.plateau = learning_rate.watcher(self.train)
        self.state = bool(graph.state)
        self.draws = any(n.rule.random for n in graph.all_nodes())
        scaling = ", scaling" if self._unscales() else ""
        self.around = Loop(model, Words(scaling=scaling, best="dict(params)", first="params", finite="np.isfinite"))

    def functions(self) -> list[str]:
        """Return the texts of all functions, in order."""
        some = [self.optimizer_state(), self.update(), self.schedule(), self.constrain(), HISTORY.strip("\n")]
        return [text for text in [*some, self.loop(), self.evaluate(), self.predict()] if text]

    def helpers(self) -> set[str]:
        """Return the functions of the runtime that the training calls."""
        found = {m.function for m in self.train.metrics if m.function not in INLINE_METRICS}
        found |= {self.train.clip.entry.helper} if self.train.clip else set()
        found |= {self.plateau.entry.watches} if self.plateau else set()
        constraints = "\n".join(constraint_lines(self.model))
        return found | set(re.findall(r"\b(max_norm)\(", constraints))

    def modules(self) -> set[str]:
        """Return the standard modules that it uses."""
        timed = {"time"} if common.time_limit(self.train) else set()
        return timed | ({"math"} if (self.formula and self.train.batch) or self._uses_math() else set())

    def _uses_math(self) -> bool:
        return "math." in (self.schedule() or "")

    # -------------------------------------------------------------------------------------------------- optimizer

    def optimizer_state(self) -> str:
        """Return `optimizer_state`."""
        start = optimizer.slot_start(self.train)
        fresh = "np.zeros_like(w)" if not start else f"np.full_like(w, {start})"
        trained = " if name in PARAMS" if self.state else ""
        each = f"{{name: {fresh} for name, w in params.items(){trained}}}"
        entries = ['"t": 0'] * optimizer.counts_updates(self.train)
        head = "def optimizer_state(params):"
        doc = "Return the optimizer's memory before the first update."
        if len(self.slots) > 1:
            names = ", ".join(f'"{s}"' for s in self.slots)
            table = f"{{slot: {each} for slot in ({names})}}"
            text = f"{{{', '.join(entries)}}} | {table}" if entries else table
            if len(text) > 98:
                table = table.replace("for name, w in params.items() if name in PARAMS", "for name in PARAMS").replace(
                    "np.zeros_like(w)", "np.zeros_like(params[name])"
                )
                return function(
                    head,
                    doc,
                    [f"slots = {table}", f"return {{{', '.join(entries)}}} | slots" if entries else "return slots"],
                )
            return function(head, doc, [f"return {text}"])
        entries += [f'"{s}": {each}' for s in self.slots]
        return function(head, doc, lines_of(f"return {{{', '.join(entries)}}}"))

    def update(self) -> str:
        """Return `update`: the equations of the optimizer."""
        train, bound = self.train, self.train.optimizer
        arguments = ["params", "grads", "state", *(["lr"] * bool(train.schedule))]
        arguments += [f"{k}={show(v)}" for k, v in optimizer.arguments(train).items()]
        place = self.place("optim")
        source = bound.entry.source
        source = source if len(source) + len(str(bound)) < 75 else source.partition(";")[0].partition(" (")[0]
        said = "; ".join(part for part in (source, place) if part)
        doc = aligned('    """', str(bound), said, '"""')
        if len(str(bound)) + len(said) > 92:
            doc = prose(docstring(f"{bound}\n\n{said}", " "))
        lines = [doc]
        names = [*(["t"] * optimizer.counts_updates(train)), *self.slots]
        if optimizer.counts_updates(train):
            lines.append('    state["t"] += 1')
        if names:
            held = ", ".join(f'state["{n}"]' for n in names)
            lines.append(f"    {', '.join(names)} = {held}")
        more = len(self.graph.grads) > len(self.graph.params)
        called = {"w": "params[name]", **{slot: f"{slot}[name]" for slot in self.slots}}
        numbers = optimizer.arguments(train)
        equations = [optimizer.numpy_equation(e, numbers, called) for e in optimizer.equations(train)]
        if more:
            lines += ["    for name in PARAMS:", "        g = grads[name]"]
        else:
            lines.append("    for name, g in grads.items():")
        if train.weight_decay:
            lines.append("        if name in DECAYED:")
            lines.append("            params[name] = params[name] - lr * weight_decay * params[name]")
        lines += [line for e in equations for line in wrapped(e, 8)]
        return prose([f"def update({', '.join(arguments)}):", *lines])

    def place(self, key: str) -> str:
        """Return where the spec's train section says something."""
        found = re.search(rf"^[^#\n]*?\b{key}\w*\s*=", self.model.source.text, re.MULTILINE)
        if found is None:
            return ""
        line = self.model.source.text.count("\n", 0, found.end()) + self.model.source.first_line
        return f"{self.spec.file}:{line}"

    def schedule(self) -> str:
        """Return `learning_rate`, where it is a formula."""
        context = learning_rate.context(self.train)
        if not context:
            return ""
        lines = context["lines"]
        assert isinstance(lines, list)
        body = [*lines]
        if body and body[-1].startswith("lr = "):
            body[-1] = f"return {body[-1].removeprefix('lr = ')}"
        else:
            body.append("return lr")
        body = [made for line in body for made in lines_of(line)]
        made = [f'    """{context["call"]}: the rate of a step, counted from 0.', ""]
        made += [f"    {line}" for line in textwrap.wrap(f"{context['doc']} Source: {context['source']}.", WIDTH - 4)]
        made.append('    """')
        return prose(["def learning_rate(step, steps, steps_per_epoch):", *made, *(f"    {line}" for line in body)])

    def constrain(self) -> str:
        """Return `constrain`, where weights have limits."""
        lines = constraint_lines(self.model)
        if not lines:
            return ""
        doc = "Put weights that an update led out of their limits back."
        return function("def constrain(params):", doc, [made for line in lines for made in lines_of(line)])

    # ------------------------------------------------------------------------------------------------------- loop

    def loop(self) -> str:
        """Return `train`."""
        head = wrapped(f"train({', '.join(ARGUMENTS)})", 4)
        line = f"def train({', '.join(ARGUMENTS)}):"
        heading = [line] if len(line) <= 110 else ["def train(", *head[1:-1], head[-1].removesuffix(")") + ",", "):"]
        body = [*self._begin(), *self._first(), *self._epochs(), *self._end()]
        first, second = DOC.split("\n")
        doc = [f'    """{first}', f'    {second}"""']
        return prose([*heading, *doc, *(f"    {line}".rstrip() for line in body)])

    def _begin(self) -> list[str]:
        scaled = bool(self.model.data and self.model.data.scales)
        parts = any(common.evaluated_parts(self.model)[1:])
        fresh = "unit_variance(init_params(seed, dtype), examples)" if self._lsuv() else "init_params(seed, dtype)"
        prepared = "prepare(load_data() if data is None else data, dtype)"
        lines = [f'examples = {prepared}[0]["train"]']
        if parts or scaled:
            lines = [f"parts, {'scaling' if scaled else '_'} = {prepared}", 'examples = parts["train"]']
        first = next(iter(self.model.inputs))
        lines += [f'count = len(examples["{first}"])'] if not self.full else []
        lines += lines_of(f"params = {fresh} if params is None else {{n: w.astype(dtype) for n, w in params.items()}}")
        return lines + self._state_begins(scaled)

    def _state_begins(self, scaled: bool) -> list[str]:
        """Return the lines that make the state that training goes on from, or take it up."""
        entries = {"params": "params", "optimizer": "optimizer_state(params)", "history": "[]", **self.around.kept()}
        text = ", ".join(f'"{key}": {value}' for key, value in entries.items())
        lines = [f"state = resume or {{{text}}}"]
        if len(lines[0]) > 106:
            lines = [*(line[4:] for line in wrapped(f"state = {{{text}}}", 4)), "state |= resume or {}"]
        lines.append('params, memory, history = state["params"], state["optimizer"], History(state["history"])')
        lines += ["history.scaling = scaling"] if scaled else []
        if self.uses_rng():
            lines += ["rng = np.random.default_rng([seed, 1])"]
            lines += ['rng.bit_generator.state = state.get("rng", rng.bit_generator.state)']
        return [*lines, *self.around.clock_anew(), *self.around.begin()]

    def uses_rng(self) -> bool:
        """Whether training draws numbers."""
        return self.draws or (not self.full and self.train.shuffle)

    def _lsuv(self) -> bool:
        return bool(common.rescaled(self.model, self.graph))

    def _kept_grads(self) -> bool:
        """Whether the next gradient cannot be computed anew: it has drawn numbers, or renewed the state."""
        return self.full and (self.draws or self.state)

    def _first(self) -> list[str]:
        """Return the lines before the first epoch: with all examples at once, an epoch ends with the next gradient."""
        if not self.full:
            return []
        call = f"{self._pass()}(params, examples{', rng=rng' * self.draws})"
        if self._kept_grads():
            return [f'grads = resume["grads"] if resume else {call}[1]']
        return [f"loss, grads = {call}"]

    def _pass(self) -> str:
        return "training_pass" if self.state else "loss_and_grads"

    def _step(self) -> list[str]:
        lines = []
        if self.train.clip is not None:
            grads = "grads"
            if not self.graph.grads.keys() <= self.graph.params.keys():
                grads = "{name: grads[name] for name in PARAMS}"
            lines.append(f"grads = {self.train.clip.entry.helper}({grads}, {self.train.clip.attrs['limit']})")
        lines.append(f"update(params, grads, memory{f', lr={self.rate}' if self.rate else ''})")
        lines += ["constrain(params)"] if constraint_lines(self.model) else []
        return [*lines, *learning_rate.after_step(self.train)]

    def _epochs(self) -> list[str]:
        body = [*self.around.over(), *(self._full_batch() if self.full else self._batches())]
        now = {"history": "history[:]"}
        now |= {"rng": "rng.bit_generator.state"} if self.uses_rng() else {}
        now |= {"grads": "grads"} if self._kept_grads() else {}
        for line in self.around.after(now, self._stop_remark()):
            code = line.lstrip()
            body += [line] if code[0] == "#" else wrapped(code, len(line) - len(code), WIDTH - 2 * INDENT)
        return [HEAD, *(f"    {line}" for line in body)]

    def _full_batch(self) -> list[str]:
        call = f"{self._pass()}(params, examples{', rng=rng' * self.draws})"
        record = 'history.append({"epoch": epoch, "loss": float(loss)})'
        return [*self._step(), f"loss, grads = {call}", record]

    def _batches(self) -> list[str]:
        add, report = common.epoch_loss(self.model)
        order = "rng.permutation(count)" if self.train.shuffle else "np.arange(count)"
        call = f"{self._pass()}(params, {{n: v[chosen] for n, v in examples.items()}}{', rng=rng' * self.draws})"
        return [
            f"order, total = {order}, 0.0",
            "for start in range(0, count, BATCH_SIZE):",
            "    chosen = order[start : start + BATCH_SIZE]",
            f"    loss, grads = {call}",
            f"    total += {add}",
            "    if not np.isfinite(loss):",
            "        break",
            *(f"    {line}" for line in self._step()),
            f'history.append({{"epoch": epoch, "loss": {report}}})',
        ]

    def _unscales(self) -> bool:
        scaled = set(shared.scaled_outputs(self.model).values())
        return any(m.target in scaled for m in self.train.metrics)

    def _stop_remark(self) -> str:
        """Return the comment above the rules that stop: what the spec says, and where."""
        return aligned("    " * 2 + "# ", self._stop_text(), self.place("stop"))[8:]

    def _stop_text(self) -> str:
        found = re.search(r"^[^#\n]*?\b(stop\w*\s*=[^#\n]*)", self.model.source.text, re.MULTILINE)
        return " ".join(found[1].split()) if found else "when to stop"

    def _end(self) -> list[str]:
        lines = self.around.end()
        lines += self._watched()
        arrays = "arrays" if self.slots or self.vanishing else "params"
        lines.append(f'lost = next((name for name, a in {arrays}.items() if not np.isfinite(a).all()), "")')
        seen = 'history and not np.isfinite(history[-1]["loss"])'
        shown = self.full and not self.slots and not self.vanishing  # the loss of an epoch comes after its only update
        lines.append(f"if {seen}:" if shown else f"if lost or {seen}:")
        lines.append('    history.stopped_by, history.diverged_at = "diverged", lost')
        lines += ['params = state["best_params"]'] if self.early else []
        if common.evaluated_parts(self.model)[2]:
            scaling = ", scaling" if self._unscales() else ""
            lines.append(f'history.test = evaluate(params, parts["test"]{scaling})')
        return [*lines, "return params, history"]

    def _watched(self) -> list[str]:
        """Return the lines that gather what may overflow without a loss that shows it."""
        tables: list[str] = []
        if len(self.slots) == 1:
            (slot,) = self.slots
            tables = [f'{{f"{slot} of {{n}}": a for n, a in memory["{slot}"].items()}}']
        elif self.slots:
            slots = ", ".join(f'"{slot}"' for slot in self.slots)
            tables = [f'{{f"{{s}} of {{n}}": a for s in ({slots}) for n, a in memory[s].items()}}']
        tables = tables or (["{}"] if self.vanishing else [])
        lines = lines_of(f"arrays = {' | '.join(['params', *tables])}") if tables else []
        if self.vanishing:
            few = "examples" if self.full else "{n: v[:BATCH_SIZE] for n, v in examples.items()}"
            entries = ", ".join(f'"{name}": 1 / {text}' for name, text in self.vanishing.items())
            lines.append("# a variance that has overflowed leaves 1 / sigma = 0, and no loss shows it")
            lines.append(f"cache = forward(params, {few})[1]")
            lines += lines_of(f"arrays |= {{{entries}}}")
        return lines

    # ----------------------------------------------------------------------------------------------------- figures

    def evaluate(self) -> str:
        """Return `evaluate`."""
        scaled = set(shared.scaled_outputs(self.model).values())
        body = ["outputs, cache = forward(params, examples)"]
        entries = ['"loss": float(total_loss(params, examples, cache))']
        for m in self.train.metrics:
            out, target = self.sources[m.output], f'examples["{m.target}"]'
            if m.target in scaled:
                out, target = self._in_own_units(m.target, out, target, body)
            if m.function in INLINE_METRICS:
                text = f"float({INLINE_METRICS[m.function].format(out=out, target=target)})"
            else:
                more = "".join(f", {name}={literal(value)}" for name, value in m.attrs.items())
                text = f"{m.function}({out}, {target}{more})"
            if m.key.isidentifier() and m.key not in self.helpers():
                body += lines_of(f"{m.key} = {text}")
                text = m.key
            entries.append(f'"{m.key}": {text}')
        line = f"return {{{', '.join(entries)}}}"
        made = [line] if len(line) < 100 else ["return {", *(f"    {made}" for e in entries for made in _entry(e)), "}"]
        doc = "Return the loss and the metrics of prepared examples, in prediction mode."
        if not self.train.metrics:
            doc = "Return the loss of prepared examples, in prediction mode."
        return function("def evaluate(params, examples, scaling=None):", doc, [*body, *made])

    def _in_own_units(self, name: str, out: str, target: str, body: list[str]) -> tuple[str, str]:
        """Return the names of an output and of its target in their own units; append what makes them."""
        found = re.search(r'"([A-Za-z_]\w*)"\]$', out)
        names = [f"{found[1] if found else 'output'}_raw", f"{name}_raw"]
        if names[0] == names[1]:
            names[0] = "output_raw"
        for text, own in zip((out, target), names, strict=True):
            line = f'{own} = undo({text}, scaling["{name}"])'
            if line not in body:
                body.append(line)
        return names[0], names[1]

    def predict(self) -> str:
        """Return `predict`."""
        model = self.model
        scaled_in, scaled_out = shared.scaled_inputs(model), shared.scaled_outputs(model)
        doc = "Return the outputs for raw inputs by name"
        doc += ", in the targets' own units; `scaling` is the history's." if model.data and model.data.scales else "."
        first = next(iter(model.params), "")
        body = [f'dtype = params["{first}"].dtype'] if first else ["dtype = float"]
        entries = []
        for name, declared in model.inputs.items():
            axes = ", ".join(map(str, (-1, *declared.type.example)))
            whole = model.input_kind(name).startswith("int")
            kind = "int" if whole else "float" if name in scaled_in else "dtype"
            text = f'np.asarray(inputs["{name}"], {kind}).reshape({axes})'
            if name in scaled_in:
                text = f'scale({text}, scaling["{name}"]).astype(dtype)'
            entries.append(f'"{name}": {text}')
        own = f"{{{', '.join(entries)}}}"
        if len(own) > 70 and len(entries) == 1 and len(own) > 93:
            body.append(f"values = {own.partition(': ')[2][:-1]}")
            entries = [f'"{next(iter(model.inputs))}": values']
        if not any("dtype" in text for text in [*entries, *body[1:]]):
            body = []
        cast = f"{{{', '.join(entries)}}}"
        if len(cast) > 70:
            body += lines_of(f"batch = {cast}")
            cast = "batch"
        elif body and cast.count("dtype") == 1 and len(cast) < 56:
            cast = cast.replace("dtype", body.pop().removeprefix("dtype = "))
        if scaled_out:
            body.append(f"outputs = forward(params, {cast})[0]")
            for output, target in scaled_out.items():
                body.append(f'outputs["{output}"] = undo(outputs["{output}"], scaling["{target}"])')
            body.append("return outputs")
        else:
            body.append(f"return forward(params, {cast})[0]")
        made = function("def predict(params, inputs, scaling=None):", doc, body)
        if not scaled_out:
            return made
        undo = function(
            "def undo(values, s):",
            "Return scaled numbers in their own units.",
            ['return values / s["scale"] + s["shift"]'],
        )
        return f"{undo}\n\n\n{made}"


def _entry(entry: str) -> list[str]:
    if len(entry) + 9 <= 110:
        return [f"{entry},"]
    key, _, value = entry.partition(": ")
    made = wrapped(f"return {value}", 8)
    return [f"{key}: {made[0].strip().removeprefix('return ')}", *(line[4:] for line in made[1:-1]), f"{made[-1][4:]},"]
