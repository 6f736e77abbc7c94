"""What a script computes of a trained network: the figures of a part of the examples, and predictions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from dotnn.codegen import counting, paste, tree
from dotnn.codegen.called import ONLY, Names
from dotnn.codegen.lines import literal, table
from dotnn.codegen.preparing import chains, fitted, in_type, undone_outputs
from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.model.model import MetricTerm, Model, Read
from dotnn.model.raw import raw_declarations
from dotnn.targets.numpy.explain.data import plain_functions
from dotnn.targets.numpy.explain.reading import number_type, raw_array, shaped

INLINE_METRICS = {
    "accuracy_class": "np.mean({out}.argmax(axis=-1) == {target})",
    "accuracy_onehot": "np.mean({out}.argmax(axis=-1) == {target}.argmax(axis=-1))",
    "accuracy_binary": "np.mean(({out} > 0.5) == ({target} > 0.5))",
    "accuracy_sign": "np.mean(({out} > 0) == ({target} > 0))",
}
SHORT_BATCH, LONG_BATCH = 78, 98
"""A batch of more text than this has a statement of its own; of a long one, the array has."""
SHORT_CAST = 56
"""In one of less text than this, a type that is read once is written where it is read."""


class Figures:
    """Writes `evaluate` and `predict`; `sources` says where `evaluate` finds what metrics are of.

    With a `chunk` it runs so many examples at a time, and keeps the outputs that metrics are of, and what the loss and
    metrics `read` of the cache. `names` are those of the training; what predicts is called `forward`.
    """

    def __init__(
        self,
        model: Model,
        sources: Mapping[str, str],
        chunk: int = 0,
        read: Sequence[str] = (),
        *,
        samples: bool = False,
        forward: str = "forward",
        names: Names = ONLY,
    ) -> None:
        self.names = names
        self.model, self.sources, self.metrics = model, sources, model.train.metrics
        self.chunk, self.read, self.samples, self.forward = chunk, read, samples, forward
        self.chains, self.undone = chains(model), undone_outputs(model)
        self.raw = raw_declarations(model, training=False)
        self.own_units = {chain.name: chain for chain in self.undone.values()}

    def items(self) -> list[tree.Item]:
        """Return the functions."""
        return [self.evaluation(), *self.prediction()]

    def prediction(self) -> list[tree.Item]:
        """Return `predict`, and what it calls."""
        steps = [step for chain in self.undone.values() for step in chain.steps]
        undo = plain_functions(steps, [step.undo("x") for step in steps])
        return [*(tree.Prose(text.strip("\n")) for text in undo), self._predict()]

    def helpers(self) -> set[str]:
        """Return the functions of the runtime that they call."""
        found = {m.function for m in self.metrics if m.function not in INLINE_METRICS and m.written is None}
        written = [m.written for m in self.metrics if m.written]
        found |= {"weighted_mean"} if any("weights" in w.arguments for w in written) else set()
        return found.union(*(paste.called_in(str(w)) for w in written))

    def unscales(self) -> bool:
        """Whether a metric is in the own units of a target, which what was fitted tells."""
        return any(m.target in self.own_units and self.own_units[m.target].fitted for m in self.metrics)

    # --------------------------------------------------------------------------------------------------- evaluate

    def evaluation(self) -> tree.Function:
        """Return `evaluate`."""
        whole = tree.Assign(("outputs", "cache"), f"{self.names.own('forward')}(params, examples)")
        body: list[tree.Stmt] = [*self._in_chunks()] if self.chunk else [whole]
        entries = {"loss": f"float({self.names.own('total_loss')}(params, examples, cache))"}
        for metric in self.metrics:
            text = self._metric(metric, body)
            if metric.key.isidentifier() and metric.key not in self.helpers():
                body.append(tree.assign(metric.key, text))
                text = metric.key
            entries[metric.key] = text
        doc = f"Return the loss{' and the metrics' * bool(self.metrics)} of prepared examples, in prediction mode."
        end = tree.Return(table(entries))
        more = (f"size={self.chunk}",) if self.chunk else ()
        arguments = ("params", "examples", "scaling=None", *more)
        return tree.Function(self.names.own("evaluate"), arguments, doc, "", (*body, end))

    def _in_chunks(self) -> Iterator[tree.Stmt]:
        """Yield what runs examples, `size` at a time, and joins what is kept of them: `cache` and `outputs`."""
        outputs = [o for o in self.model.outputs if f'outputs["{o}"]' in self.sources.values()]
        kept = [*(f'cache["{key}"]' for key in self.read), *(f'outputs["{o}"]' for o in outputs)]
        count = f'len(examples["{next(iter(self.model.inputs))}"])'
        batch = "{n: v[start : start + size] for n, v in examples.items()}"
        some = (
            tree.Assign(("outputs", "cache"), f"{self.names.own('forward')}(params, {batch})"),
            tree.Do(f"kept.append([{', '.join(kept)}])"),
        )
        yield tree.assign("kept", "[]")
        yield tree.For(f"for start in range(0, {count}, size)", some)
        yield tree.assign("kept", "[np.concatenate(values) for values in zip(*kept, strict=True)]")
        yield tree.assign("cache", table({key: f"kept[{i}]" for i, key in enumerate(self.read)}))
        if outputs:
            yield tree.assign("outputs", table({o: f"kept[{i}]" for i, o in enumerate(outputs, len(self.read))}))
        yield tree.assign("examples", "{n: v[:] for n, v in examples.items() if n in TARGETS}")

    def _metric(self, metric: MetricTerm, body: list[tree.Stmt]) -> str:
        """Return the expression of a metric; append to `body` what it needs."""
        out, target = self.sources[metric.output], f'examples["{metric.target}"]'
        if metric.target in self.own_units:
            out, target = self._in_own_units(metric.target, out, target, body)
        if metric.function in INLINE_METRICS:
            return f"float({INLINE_METRICS[metric.function].format(out=out, target=target)})"
        more = "".join(f", {name}={literal(value)}" for name, value in metric.attrs.items())
        count = counting.weights(metric, self.model, self._source)
        return f"{metric.function}({', '.join(filter(None, (out, target, count)))}{more})"

    def _source(self, read: Read) -> str:
        """Return where `evaluate` finds a value or a target."""
        return f'examples["{read.target}"]' if read.target else self.sources[read.value]

    def _in_own_units(self, name: str, out: str, target: str, body: list[tree.Stmt]) -> tuple[str, str]:
        """Return the names of an output and of its target in their own units; append what makes them."""
        found = re.search(r'"([A-Za-z_]\w*)"\]$', out)
        names = [f"{found[1] if found else 'output'}_raw", f"{name}_raw"]
        if names[0] == names[1]:
            names[0] = "output_raw"
        for text, own in zip((out, target), names, strict=True):
            made = tree.assign(own, self.own_units[name].undo(text))
            if made not in body:
                body.append(made)
        return names[0], names[1]

    # ---------------------------------------------------------------------------------------------------- predict

    def _predict(self) -> tree.Function:
        doc = "Return the outputs for raw inputs by name"
        doc += ", in the targets' own units" if self.undone else ""
        doc += "; `scaling` is `history.scaling`." if fitted(self.model) else "."
        doc += " What is drawn comes from `rng`; without one it is the same every time." * self.samples
        body = (*self._predicted(),)
        arguments = ("params", "inputs", "scaling=None", *["rng=None"] * self.samples)
        return tree.Function("predict", arguments, doc, "", body)

    def _predicted(self) -> Iterator[tree.Stmt]:
        named, batch = self._batch()
        yield from (tree.assign(*pair) for pair in named)
        if not self.undone:
            yield tree.Return(f"{self._forward(batch)}[0]")
            return
        yield tree.assign("outputs", f"{self._forward(batch)}[0]")
        for output, chain in self.undone.items():
            values = f'outputs["{output}"]'
            yield tree.assign(values, chain.undo(values))
        yield tree.Return("outputs")

    def _forward(self, batch: str) -> str:
        """Return the call of the network."""
        return f"{self.forward}(params, {batch}{', rng=rng' * self.samples})"

    def _batch(self) -> tuple[list[tuple[str, str]], str]:
        """Return names with their expressions, and the expression of the batch, which may read them."""
        named: list[tuple[str, str]] = []
        first = next(iter(self.model.params), "")
        dtype = f'params["{first}"].dtype' if first else "float"
        inputs = {name: self._input(name) for name in self.model.inputs}
        if len(inputs) == 1 and (line := self._cast_in_a_line(inputs, dtype)):
            return [("x", line)], table(dict.fromkeys(inputs, "x"))
        batch = table({name: in_type(values) if cast else values for name, (values, cast) in inputs.items()})
        if batch.count("dtype") == 1 and len(batch) < SHORT_CAST:
            batch = batch.replace("dtype", dtype)
        elif "dtype" in batch:
            named.append(("dtype", dtype))
        if len(batch) > LONG_BATCH and len(inputs) == 1:
            ((name, (values, cast)),) = inputs.items()
            named.append(("values", values))
            batch = table({name: in_type("values") if cast else "values"})
        elif len(batch) > SHORT_BATCH:
            named.append(("batch", batch))
            batch = "batch"
        return named, batch

    def _cast_in_a_line(self, inputs: Mapping[str, tuple[str, bool]], dtype: str) -> str:
        """Return the expression of the only input in its type, if it is a long one that fits on a line of its own."""
        ((values, cast),) = inputs.values()
        text = in_type(values, dtype) if cast else ""
        return text if len(text) > SHORT_CAST and INDENT + len(f"x = {text}") <= WIDTH else ""

    def _input(self, name: str) -> tuple[str, bool]:
        """Return the expression of an input in its shape, and prepared; and whether it is still to be cast."""
        chain = self.chains.get(name)
        origin = chain.origin if chain else name
        kind, shape = self.raw[origin]
        if chain is None or not chain.acts:
            return shaped(name, number_type(kind, "dtype"), shape, "inputs"), False
        text = chain.apply(raw_array(origin, kind, shape, "inputs"), bare=True)
        return text, not (chain.counts or "dtype" in text)
