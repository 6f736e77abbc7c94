"""The command line of a script: train, predict, check."""

from __future__ import annotations

from collections.abc import Iterator

from dotnn.codegen import data as shared
from dotnn.codegen import tree
from dotnn.codegen.lines import literal, table
from dotnn.codegen.preparing import fitted
from dotnn.ir.graph import Graph
from dotnn.model.model import Model
from dotnn.model.raw import keys_of_predictions, raw_declarations
from dotnn.targets.numpy.explain import generation
from dotnn.targets.numpy.explain.generation import SAME_NETWORK, reading
from dotnn.targets.numpy.explain.reading import column

CHECK = "Compare every gradient with a complex-step derivative in a random direction (Squire and Trapp 1998)."
START = """
if __name__ == "__main__":
    signal.signal(getattr(signal, "SIGPIPE", signal.SIGTERM), signal.SIG_DFL)  # end quietly in a closed pipe
    main()
"""
MODULES = {"argparse", "signal", "zipfile"}
PARSED = "parser.parse_args()"
FILE = "options.files[1]"
ROOM = 76
"""How long the weights and the inputs may be where one line reads both."""


class CommandLine:
    """Writes `check` and `main`."""

    def __init__(self, model: Model, graph: Graph) -> None:
        self.model, self.graph = model, graph
        self.fitted = bool(fitted(model))
        self.raw = {n: d for n, d in raw_declarations(model, training=False).items() if n in model.inputs}
        self.table = shared.table_source(model)
        self.draws = graph.draws
        self.state = bool(graph.state)
        self.missing = model.data is None or not (model.data.source or model.data.inline)

    def items(self) -> list[tree.Item]:
        """Return the functions, and what starts them."""
        check = tree.Function("check", ("seed=0", "examples=5"), CHECK, "", tuple(self._check()))
        main = tree.Function("main", (), "", "", tuple(self._main()))
        return [check, main, tree.Prose(START.strip("\n"))]

    # ------------------------------------------------------------------------------------------------------ check

    def _check(self) -> Iterator[tree.Stmt]:
        inputs, targets = shared.declarations(self.model)
        batch = table({name: drawn(kind, shape) for name, (kind, shape) in {**inputs, **targets}.items()})
        rng = ", rng=np.random.default_rng(seed)" if self.draws else ""
        yield tree.assign("rng", "np.random.default_rng(seed)")
        yield from self._point()
        yield tree.assign("batch", batch)
        yield tree.Assign(("grads", "errors"), f"loss_and_grads(params, batch{rng})[1], []")
        largest = "1e-6 * max(np.abs(g).max() for g in grads.values())"
        yield tree.assign("smallest", largest, comment="a smaller gradient counts as zero")
        if self.state:
            yield tree.For("for name in PARAMS", (tree.assign("w", "params[name]"), *self._compared(rng)))
        else:
            yield tree.For("for name, w in params.items()", tuple(self._compared(rng)))
        yield tree.Return("all(error < 1e-10 for error in errors)")

    def _point(self) -> Iterator[tree.Stmt]:
        """Yield what makes parameters that are no longer those that a network begins with."""
        fresh = "init_params(seed, np.float64)"
        if self.state:
            yield tree.assign("params", fresh)
            moved = "{n: params[n] + 0.1 * rng.standard_normal(params[n].shape) for n in PARAMS}"
            yield tree.assign("params", moved, "|=")
        else:
            yield tree.assign("params", f"{{n: w + 0.1 * rng.standard_normal(w.shape) for n, w in {fresh}.items()}}")

    def _compared(self, rng: str) -> Iterator[tree.Stmt]:
        """Yield what compares the gradient of one parameter."""
        width = max([len(n) for n in self.model.params] or [1])
        yield tree.assign("v", "rng.standard_normal(w.shape)")
        yield tree.assign("moved", "params | {name: w + 1e-20j * v}")
        cache = f"forward(moved, batch, training=True{rng})[1]"
        yield tree.assign("expected", f"total_loss(moved, batch, {cache}).imag / 1e-20")
        size = "max(abs(expected), smallest, 1e-300)"
        yield tree.Do(f"errors.append(abs((grads[name] * v).sum() - expected) / {size})")
        verdict = "{'ok' if errors[-1] < 1e-10 else 'WRONG'}"
        yield tree.Do(f'print(f"{{name:{width}}}  {{errors[-1]:.1e}}  {verdict}")')

    # ------------------------------------------------------------------------------------------------------- main

    def _main(self) -> Iterator[tree.Stmt]:
        yield from self._options()
        if self.missing:
            yield tree.assign("options", PARSED)
            refused = tree.Do('parser.error("the spec has no data: name an .npz file with --data")')
            yield tree.If('options.command == "train" and options.data is None', (refused,))
        options = "options" if self.missing else f"(options := {PARSED})"
        yield tree.If(f'{options}.command == "check"', (tree.Do("raise SystemExit(0 if check() else 1)"),))
        yield tree.If('options.command == "predict"', tuple(self._predict()), self._generate(tuple(self._train())))

    @property
    def given(self) -> str:
        """What is given to `predict` beside the weights."""
        what = self.table.entry.file if self.table else "an .npz file"
        source = self.model.data.source if self.model.data else None
        if source is not None and source.formats and len(self.raw) == 1:
            what = source.reader(next(iter(self.raw))).file
        return f"{what} with the inputs"

    def _options(self) -> Iterator[tree.Stmt]:
        yield tree.assign(
            "parser",
            "argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)",
        )
        more = generation.options(self.model)
        given = f"what --save wrote, and {self.given}{', or a prompt' * bool(more)}"
        arguments = [
            f'"command", choices={literal(["train", "predict", *(["generate"] if more else []), "check"])}',
            f'"files", nargs="*", help={literal(given)}',
            *self._data_option(),
            '"--epochs", type=int, default=EPOCHS',
            '"--seed", type=int, default=SEED',
            '"--save", metavar="FILE", help="where train puts the weights, as .npz"',
            *more,
        ]
        yield from (tree.Do(f"parser.add_argument({words})") for words in arguments)

    def _data_option(self) -> list[str]:
        if not self._reads_file():
            return []
        data = self.model.data
        several = data is not None and (data.files or (data.source is not None and data.source.formats))
        own = "the folder with the spec's files" if several else "train on this instead of the spec's own"
        help = "train on this .npz file" if self.missing else own
        return [f'"--data", metavar="FILE", help="{help}"']

    def _reads_file(self) -> bool:
        data = self.model.data
        return self.missing or bool(data and data.source)

    def _generate(self, otherwise: tuple[tree.Stmt, ...]) -> tuple[tree.Stmt, ...]:
        """Return what goes on from a prompt, where a network was taught what comes next, and else `otherwise`."""
        if generation.source_of(self.model) is None:
            return otherwise
        return (tree.If('options.command == "generate"', generation.CALLED, otherwise),)

    def _predict(self) -> Iterator[tree.Stmt]:
        read: list[tree.Stmt] = [
            tree.assign("weights", "np.load(options.files[0])"),
            tree.assign("inputs", self._inputs()),
        ]
        both = f"np.load(options.files[0]), {self._inputs()}"
        if len(both) <= ROOM:
            read = [tree.Assign(("weights", "inputs"), both)]
        read.append(tree.Do(SAME_NETWORK))
        params, scaling = "dict(weights)", ""
        if self.fitted:
            read.append(tree.assign("params", params))
            kept = '{n: {k: params.pop(f"{n}.{k}") for k in keys} for n, keys in FITTED.items()}'
            read.append(tree.assign("scaling", kept))
            params, scaling = "params", ", scaling"
        yield reading(read, f"predict takes what train --save wrote, and {self.given}")
        outputs = f"predict({params}, inputs{scaling}).items()"
        yield tree.Do(f'print(*(f"{{name}}\\n{{value}}" for name, value in {outputs}), sep="\\n")')

    def _inputs(self) -> str:
        """Return the expression of the inputs of a prediction."""
        if self.table:
            columns = self._columns(self.table.entry.function)
            return f"in_windows({columns})" if self.table.windows else columns
        source = self.model.data.source if self.model.data else None
        if source is not None and source.formats and len(self.raw) == 1:
            (name,) = self.raw
            return table({name: str(source.reader(name).plain).replace("{path}", FILE)})
        if source is not None and source.entry.converted:
            keys = {name: key for name, (key,) in source.fields.items() if name in self.raw}
            return table({name: f"np.load({FILE})[{literal(key)}]" for name, key in keys.items()})
        return f"{{n: np.load({FILE})[n] for n in INPUTS}}"

    def _columns(self, read: str) -> str:
        """Return the expression of the inputs, read from a table; texts are made numbers where they are cast."""
        assert self.table is not None
        plain = all(not kind.endswith("?") and kind not in ("text", "date") for kind, _ in self.raw.values())
        keys = {name: (kind, ()) for name, kind in keys_of_predictions(self.model).items()}
        plain = plain and self.table.numbers("") == "" and not keys
        if self.table.entry.numbered:
            own = f"pathlib.Path(__file__).parent / {literal(self.table.path)}"
            cells = {name: f'{read}({FILE}, INPUT_COLUMNS["{name}"], like={own})' for name in self.raw}
            return table({name: column(text, *self.raw[name], self.table) for name, text in cells.items()})
        if plain:
            return f"{{n: {read}({FILE}, INPUT_COLUMNS[n]) for n in INPUT_COLUMNS}}"
        raw = {**self.raw, **keys}
        cells = {name: f'{read}({FILE}, INPUT_COLUMNS["{name}"])' for name in raw}
        return table({name: column(text, *raw[name], self.table) for name, text in cells.items()})

    def _train(self) -> Iterator[tree.Stmt]:
        examples = "load_data(options.data), " if self._reads_file() else ""
        if examples:
            there = "options.data is None or os.path.exists(options.data)"
            yield tree.Do(f'{there} or parser.error(f"there is no {{options.data}}")')
        trained = f"train({examples}epochs=options.epochs, seed=options.seed)"
        yield tree.Assign(("params", "history"), trained)
        yield tree.Do('print(*(f"{key} {value:.6g}" for record in history[-1:] for key, value in record.items()))')
        yield tree.If("options.save", tuple(self._save()))

    def _save(self) -> Iterator[tree.Stmt]:
        if self.fitted:
            flat = '{f"{n}.{k}": a for n, s in history.scaling.items() for k, a in s.items()}'
            yield tree.assign("fitted", flat)
        yield tree.Do(f"np.savez(options.save, **params{', **fitted' * self.fitted})")
        named = tree.assign("file.comment", 'f"model {MODEL}".encode()')
        yield tree.For('with zipfile.ZipFile(options.save.removesuffix(".npz") + ".npz", "a") as file', (named,))


def drawn(kind: str, shape: tuple[int, ...]) -> str:
    """Return the expression of a random array of a kind."""
    base, _, count = kind.partition(":")
    size = _size(shape)
    written = {
        "int": f"rng.integers({count or 2}, size={size})",
        "class": f"rng.integers({count or 2}, size={size})",
        "unit": f"rng.uniform(size={size})",
        "binary": f"rng.integers(2, size={size}).astype(float)",
        "weight": f"rng.uniform(size={size})",
        "sign": f"rng.choice([-1.0, 1.0], {size})",
        "distribution": f"rng.dirichlet(np.ones({shape[-1] if shape else 1}), {_size(shape[:-1])})",
    }
    return written.get(base, f"rng.standard_normal({size})")


def _size(shape: tuple[int, ...]) -> str:
    """Return the shape of an array of examples."""
    return f"(examples{''.join(f', {n}' for n in shape)})" if shape else "examples"
