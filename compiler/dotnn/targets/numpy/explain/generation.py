"""The loop of a script that goes on by itself, for a network that was taught what comes next in a text."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.codegen import tree
from dotnn.codegen.lines import literal, table
from dotnn.ir.graph import Graph
from dotnn.library.sources.text import WRITTEN
from dotnn.model.model import FileSource, Model

JOINED = {
    "char": '"".join(known[i] for i in found)',
    "word": 're.sub(r" (?=[^\\w\\s(])|(?<=[(’\'-]) ", "", " ".join(known[i] for i in found))',
}
SAME_NETWORK = 'weights.zip.comment.decode() in ("", f"model {MODEL}") or parser.error("weights of another model")'
"""Weights that name a network name this one; those of numpy.savez name none."""


def reading(body: Sequence[tree.Stmt], needed: str) -> tree.Stmt:
    """Return what reads the files of the command line; whatever is wrong with them is said behind what is `needed`."""
    refused = tree.Do(f'parser.error(f"{needed}: {{error}}")')
    return tree.Try(tuple(body), "Exception as error", (refused,))


CALLED = (
    reading(
        (tree.Assign(("weights", "prompt"), "np.load(options.files[0]), options.files[1]"), tree.Do(SAME_NETWORK)),
        "generate takes what train --save wrote, and a prompt",
    ),
    tree.assign("drawn", '{n: getattr(options, n) for n in ("length", "temperature", "top_k", "seed")}'),
    tree.Do("print(generate(dict(weights), prompt, **drawn))"),
)


def source_of(model: Model) -> FileSource | None:
    """Return the text that a model was taught to continue, None where there is none."""
    source = model.data.source if model.data else None
    return source if source is not None and source.entry.numbered and _output(model) else None


def _output(model: Model) -> str:
    """Return the output that says how probable each unit is, "" where none does."""
    paths = {t.output for t in model.train.losses if t.target_kind.startswith("class")}
    return next((name for name, path in model.outputs.items() if path in paths), "")


def generation(model: Model, graph: Graph) -> list[tree.Item]:
    """Return the function that generates."""
    source = source_of(model)
    if source is None:
        return []
    by, classes = str(source.options.get("by", "char")), max(t.bound or 0 for t in model.targets.values())
    meaning, text = WRITTEN[by], f"pathlib.Path(__file__).parent / {literal(source.path)}"
    split = "prompt" if by == "char" else meaning["split"].replace("text", "prompt")
    inputs = table({name: f"[found[-{item.type.example[0]}:]]" for name, item in model.inputs.items()})
    rng = ", rng=rng" if graph.samples else ""
    drawn = (
        tree.assign('p[np.argsort(-p, kind="stable")[top_k:]]', "0", comment="only the likeliest stay"),
        tree.assign("p", "(p / p.max()) ** (1 / temperature)", comment="p^(1/temperature)"),
        tree.Do("found.append(rng.choice(len(p), p=p / p.sum()))"),
    )
    step = (
        tree.assign("p", f"predict(params, {inputs}{rng})[{literal(_output(model))}][0, : len(known)].astype(float)"),
        tree.If("temperature == 0", (tree.Do("found.append(p.argmax())"),), drawn),
    )
    body = (
        tree.Assign(("known", "rng"), f"list(np.unique(units({text}))), np.random.default_rng(seed)"),
        tree.assign("found", f"[known.index(unit) for unit in {split}]"),
        tree.For("for _ in range(length)", step),
        tree.Return(JOINED[by]),
    )
    doc = f"Return the prompt and `length` {meaning['units']} behind it, each chosen by what `predict` says of it."
    arguments = ("params", "prompt", "length=200", "temperature=1.0", f"top_k={classes}", "seed=SEED")
    return [tree.Function("generate", arguments, doc, "", body)]


def options(model: Model) -> list[str]:
    """Return the arguments of the command line that only a generation has."""
    if source_of(model) is None:
        return []
    classes = max(t.bound or 0 for t in model.targets.values())
    return [
        '"--length", type=int, default=200, help="for generate: how much follows"',
        '"--temperature", type=float, default=1.0, help="for generate: 0 takes the likeliest"',
        f'"--top-k", type=int, default={classes}, help="for generate: among so many of the likeliest"',
    ]
