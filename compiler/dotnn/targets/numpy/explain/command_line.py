"""The command line of a script: train, predict, check."""

from __future__ import annotations

from dotnn.codegen import data as shared
from dotnn.codegen.lines import indented
from dotnn.codegen.wrap import wrapped
from dotnn.ir.graph import Graph
from dotnn.model.model import Model
from dotnn.targets.numpy.explain.prose import prose

CHECK = "Compare every gradient with a complex-step derivative in a random direction (Squire and Trapp 1998)."


class CommandLine:
    """Writes `check` and `main`."""

    def __init__(self, model: Model, graph: Graph) -> None:
        self.model, self.graph = model, graph
        self.scaled = bool(model.data and model.data.scales)
        self.table = shared.table_source(model)
        self.draws = any(n.rule.random for n in graph.all_nodes())
        self.state = bool(graph.state)
        loops = any(n.loop for n in graph.nodes)  # a sequence that a loop fills is of the type of what enters it
        self.around = "{n: u + 0j for n, u in params.items()}" if loops else "params"

    def functions(self) -> list[str]:
        """Return the texts of the functions, and what starts them."""
        return [self.check(), self.main(), 'if __name__ == "__main__":\n    main()']

    def check(self) -> str:
        """Return `check`."""
        entries = ", ".join(f'"{n}": {drawn(kind, shape)}' for n, (kind, shape) in self._declared().items())
        rng = ", rng=np.random.default_rng(seed)" if self.draws else ""
        if self.state:
            fresh = ["params = init_params(seed, np.float64)"]
            moved = "{n: params[n] + 0.1 * rng.standard_normal(params[n].shape) for n in PARAMS}"
            fresh += [f"params |= {moved}"]
        else:
            fresh = [
                "params = {n: w + 0.1 * rng.standard_normal(w.shape) for n, w in init_params(seed, np.float64).items()}"
            ]
        width = max([len(n) for n in self.model.params] or [1])
        before = [f'"""{CHECK}"""', "rng = np.random.default_rng(seed)", *fresh]
        after = [
            f"grads, worst = loss_and_grads(params, batch{rng})[1], 0.0",
            "smallest = 1e-6 * max(np.abs(g).max() for g in grads.values())  # below it a gradient counts as zero",
            "for name in PARAMS:" if self.state else "for name, w in params.items():",
            *(["    w = params[name]"] * self.state),
            "    v = rng.standard_normal(w.shape)",
            f"    moved = {self.around} | {{name: w + 1e-20j * v}}",
            *wrapped(
                f"expected = total_loss(moved, batch, forward(moved, batch, training=True{rng})[1]).imag / 1e-20", 4
            ),
            "    error = abs((grads[name] * v).sum() - expected) / max(abs(expected), smallest, 1e-300)",
            "    worst = max(worst, error)",
            f"    print(f\"{{name:{width}}}  {{error:.1e}}  {{'ok' if error < 1e-10 else 'WRONG'}}\")",
            "return worst < 1e-10",
        ]
        batch = wrapped(f"batch = {{{entries}}}", 4)
        return prose(["def check(seed=0, examples=5):", *indented(before), *batch, *indented(after)])

    def _declared(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        inputs, targets = shared.declarations(self.model)
        return {**inputs, **targets}

    def main(self) -> str:
        """Return `main`."""
        data = self.model.data
        missing = data is None or not (data.source or data.inline)
        given = missing or (data is not None and data.source is not None)
        help = "train on this .npz file" if missing else "train on this instead of the spec's own"
        examples = "load_data(options.data), " if given else ""
        return prose([
            "def main():",
            "    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)",
            '    parser.add_argument("command", choices=["train", "predict", "check"])',
            '    parser.add_argument("weights", nargs="?", help="for predict: what train --save wrote")',
            f'    parser.add_argument("inputs", nargs="?", help="for predict: {self._file()} with the inputs")',
            *([f'    parser.add_argument("--data", metavar="FILE", help="{help}")'] if given else []),
            '    parser.add_argument("--epochs", type=int, default=EPOCHS)',
            '    parser.add_argument("--seed", type=int, default=SEED)',
            '    parser.add_argument("--save", metavar="FILE", help="where train puts the weights, as .npz")',
            "    options = parser.parse_args()",
            *(['    if options.command == "train" and options.data is None:'] if missing else []),
            *(['        parser.error("the spec has no data: name an .npz file with --data")'] if missing else []),
            '    if options.command == "check":',
            "        raise SystemExit(0 if check() else 1)",
            '    if options.command == "predict":',
            *self._predict(),
            "    else:",
            f"        params, history = train({examples}epochs=options.epochs, seed=options.seed)",
            '        print(*(f"{key} {value:.6g}" for key, value in history[-1].items()))',
            "        if options.save:",
            *self._save(),
        ])  # fmt: skip

    def _file(self) -> str:
        return self.table.entry.file if self.table else "an .npz file"

    def _predict(self) -> list[str]:
        inputs = "np.load(options.inputs)"
        if self.table:
            inputs = f"{{n: {self.table.entry.function}(options.inputs, INPUT_COLUMNS[n]) for n in INPUTS}}"
        lines = []
        params, scaling = "dict(np.load(options.weights))", ""
        if self.scaled:
            lines = [
                f"        params = {params}",
                '        scaling = {n: {k: params.pop(f"{n}.{k}") for k in ("shift", "scale")} for n in SCALED}',
            ]
            params, scaling = "params", ", scaling"
        call = f"        outputs = predict({params}, {inputs}{scaling})"
        if len(call) > 110:
            lines.append(f"        inputs = {inputs}")
            call = f"        outputs = predict({params}, inputs{scaling})"
        return [*lines, call, '        print(*(f"{name}\\n{value}" for name, value in outputs.items()), sep="\\n")']

    def _save(self) -> list[str]:
        if not self.scaled:
            return ["            np.savez(options.save, **params)"]
        return [
            '            fitted = {f"{n}.{k}": a for n, s in history.scaling.items() for k, a in s.items()}',
            "            np.savez(options.save, **params, **fitted)",
        ]


def drawn(kind: str, shape: tuple[int, ...]) -> str:
    """Return the expression of a random array of a kind."""
    base, _, count = kind.partition(":")
    size = f"(examples{''.join(f', {n}' for n in shape)})" if shape else "examples"
    if base in ("int", "class"):
        return f"rng.integers({count or 2}, size={size})"
    if base == "unit":
        return f"rng.uniform(size={size})"
    if base == "binary":
        return f"rng.integers(2, size={size}).astype(float)"
    if base == "sign":
        return f"rng.choice([-1.0, 1.0], {size})"
    if base == "distribution":
        outer = f"(examples{''.join(f', {n}' for n in shape[:-1])})" if shape[:-1] else "examples"
        return f"rng.dirichlet(np.ones({shape[-1]}), {outer})"
    return f"rng.standard_normal({size})"
