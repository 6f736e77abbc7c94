"""The head of a script: how it is used, what it imports, and the tables of what it computes with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from dotnn.codegen import data as shared
from dotnn.codegen.lines import literal
from dotnn.codegen.tables import ZERO_GRADIENTS, decayed, named_tables
from dotnn.codegen.threads import one_thread_pays
from dotnn.codegen.wrap import wrapped
from dotnn.ir.graph import Graph
from dotnn.model.identity import network_identity
from dotnn.model.model import Model
from dotnn.model.settings.rates import factors
from dotnn.passes.zeros import zero_gradients
from dotnn.targets.numpy.explain.generation import source_of
from dotnn.targets.numpy.explain.initial import shapes_are_read
from dotnn.targets.numpy.explain.prose import prose

THREADS = 'os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrix products are slower on several threads'


def imported(model: Model, body: str, known: set[str], more: Iterable[str] = ()) -> list[str]:
    """Return the standard modules of a script: those that are `known`, and of `more` those that its `body` names."""
    named = {name for name in ("math", "os", "pathlib", *more) if re.search(rf"(?<![\w.\"]){name}\.", body)}
    return sorted(known | named | ({"os"} if one_thread_pays(model) else set()))


def script_head(model: Model, graph: Graph, modules: Sequence[str], zeros: tuple[str, ...] | None = None) -> str:
    """Return the docstring, the imports of the standard modules and of NumPy, and the constants.

    `zeros` are the parameters whose gradients are zero, where the graph does not say.
    """
    name = model.source.path.replace("\\", "/").rpartition("/")[2].removesuffix(".nn").strip("<>") or "script"
    name = "".join(c if c.isprintable() and c not in '"\\' else "_" for c in name)
    read = shared.table_source(model)
    lines = [
        f'"""{model.name}: {model.size:,} parameters, NumPy only.',
        "",
        f"    python {name}.py train [--epochs N] [--seed S] [--save weights.npz]",
        f"    python {name}.py predict weights.npz data{read.entry.ending if read else '.npz'}",
        *([f'    python {name}.py generate weights.npz "how it begins" [--length N]'] if source_of(model) else []),
        f"    python {name}.py check",
        "",
        "Arrays are batch-first: B counts the examples. d_v is the derivative of the loss E with respect to v.",
        '"""',
        *(f"import {module}" for module in modules),
        "",
        *([THREADS] if one_thread_pays(model) else []),
        "import numpy as np",
    ]
    return prose([*lines, "", *_constants(model, graph, zeros)])


def _constants(model: Model, graph: Graph, zeros: tuple[str, ...] | None) -> Iterator[str]:
    for name, entries in named_tables(model).items():
        if name != "PARAMS" or not shapes_are_read(model):
            yield from wrapped(f"{name} = {literal(dict(entries))}")
    if model.train.weight_decay:
        yield from wrapped(f"DECAYED = {literal(decayed(model))}")
    dead = zero_gradients(graph) if zeros is None else zeros
    if dead:
        yield f"# {ZERO_GRADIENTS}"
        yield from wrapped(f"STRUCTURAL_ZEROS = {literal(dead)}")
    train = model.train
    if train.setting("rates"):
        yield "# what the learning rate is multiplied by"
        yield from wrapped(f"RATES = {literal(dict(factors(model)))}")
    if train.setting("accumulate"):
        yield f"ACCUMULATE = {train.setting('accumulate')}  # so many batches make an update"
    every = "  # batch size 0: all examples at once" if train.batch == 0 else ""
    yield f"EPOCHS, BATCH_SIZE, SEED = {train.epochs}, {train.batch}, {train.seed}{every}"
    yield f'MODEL = "{network_identity(model)}"  # weights.npz names it: those of another network are refused'
