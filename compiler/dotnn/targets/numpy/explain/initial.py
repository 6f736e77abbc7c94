"""`init_params`: fresh parameters, a line for each layer; a block that is repeated gets a loop."""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dotnn.codegen import training as common
from dotnn.codegen.lines import literal, on_the_page
from dotnn.codegen.wrap import dict_lines
from dotnn.model.model import Model, Parameter
from dotnn.targets.numpy.explain.prose import prose

Entry = tuple[str, str]
MANY = 4
"""So many parameters of one layer say its path once."""
TAKEN = {"n", "seed", "dtype", "rng", "params", "name", "value"}


def init_params(model: Model, values: Mapping[str, Any]) -> str:
    """Return the function; `values` are the arrays of parameters that start from a file."""
    head = ["def init_params(seed, dtype=np.float32):", '    """Draw fresh parameters."""']
    files = sorted({p.init.attrs["path"] for p in model.params.values() if common._read_later(p, values)})
    stored = [f"    stored_{i} = np.load(pathlib.Path(__file__).parent / {literal(p)})" for i, p in enumerate(files)]
    entries = [(name, expression(name, p, values, files)) for name, p in model.params.items()]
    draws = ["    rng = np.random.default_rng(seed)"] if any("rng" in text for _, text in entries) else []
    body = _tables(model, entries)
    end = "    return {name: np.asarray(value, dtype) for name, value in params.items()}"
    return prose([*head, *draws, *stored, *body, end])


def shapes_are_read(model: Model) -> bool:
    """Whether `PARAMS` is read off fresh parameters: a table would say of every copy of a block what they say."""
    drawn = all(p.trained and p.init.name != "file" for p in model.params.values())
    return drawn and any(run for run, _ in runs(model, [(name, str(p.shape)) for name, p in model.params.items()]))


def expression(name: str, p: Parameter, values: Mapping[str, Any], files: Sequence[str]) -> str:
    """Return the value that a parameter starts from."""
    if p.init.name != "file":
        text = p.init.entry.line(p.shape, p.init.attrs)
        text = re.sub(r"np\.(zeros|ones)\(\((\d+),\)\)", r"np.\1(\2)", text)
        return text.replace("np.sqrt(3 * 2 / ", "np.sqrt(6 / ")
    if common._read_later(p, values):
        return f'stored_{files.index(p.init.attrs["path"])}["{name}"]'
    return f"np.array({values[name].astype(float).tolist()!r})"


def runs(model: Model, entries: Sequence[Entry]) -> list[tuple[tuple[str, ...], list[Entry]]]:
    """Return entries in order, those of equal copies of a repeated block once, with the paths of the copies."""
    parts: list[tuple[tuple[str, ...], list[Entry]]] = []
    at = 0
    copies = _copies(model)
    while at < len(entries):
        run = next((c for c in copies if entries[at][0].startswith(f"{c[0]}.")), None)
        same = _alike(entries, at, run) if run else []
        if run and same:
            parts.append((run, same))
            at += len(run) * len(same)
        elif parts and not parts[-1][0]:
            parts[-1][1].append(entries[at])
            at += 1
        else:
            parts.append(((), [entries[at]]))
            at += 1
    return parts


def _tables(model: Model, entries: Sequence[Entry]) -> list[str]:
    """Return the statements that make the dict, with a loop over the copies of a repeated block."""
    lines: list[str] = []
    for run, some in runs(model, entries):
        if run:
            lines += ["    params = {}"] if not lines else []
            names = ", ".join(f'"{name}"' for name in run)
            lines += on_the_page(f"    for n in ({names}):", 0)
            lines += _copy(some)
        else:
            lines += _table([(literal(key), text) for key, text in some], "|=" if lines else "=", 4)
    return lines or ["    params = {}"]


def _copy(entries: Sequence[Entry]) -> list[str]:
    """Return the statements of one copy, `n`; a path of many parameters is named as its statement, if that pays."""
    plain = _table([(f'f"{{n}}.{key}"', text) for key, text in entries], "|=", 8)
    for layer, some in itertools.groupby(entries, lambda entry: entry[0].rpartition(".")[0]):
        name = layer.partition(".")[0]
        words = set(re.findall(r"\w+", " ".join(text for _, text in entries))) | TAKEN
        if len([*some]) < MANY or not name.isidentifier() or keyword.iskeyword(name) or name in words:
            continue
        keys = {key: f'f"{{{name}}}{key.removeprefix(layer)}"' for key, _ in entries if key.rpartition(".")[0] == layer}
        table = _table([(keys.get(key, f'f"{{n}}.{key}"'), text) for key, text in entries], "|=", 8)
        if len(table) + 1 < len(plain):
            return [f'        {name} = f"{{n}}.{layer}"', *table]
    return plain


def _copies(model: Model) -> list[tuple[str, ...]]:
    """Return the paths of parameters of the copies of each repeated block of the model itself."""
    found: dict[object, dict[str, None]] = {}
    for step in model.steps:
        if step.places.uses:
            use = step.places.uses[0]
            found.setdefault((use.block, use.span), {})[use.params] = None
    return [tuple(paths) for paths in found.values() if len(paths) > 1]


def _alike(entries: Sequence[Entry], at: int, run: tuple[str, ...]) -> list[Entry]:
    """Return the entries of one copy by the rest of their names, nothing where the copies differ."""
    first = [(n[len(run[0]) + 1 :], text) for n, text in entries[at:] if n.startswith(f"{run[0]}.")]
    for k, path in enumerate(run):
        part = entries[at + k * len(first) : at + (k + 1) * len(first)]
        if [(f"{path}.{key}", text) for key, text in first] != list(part):
            return []
    return first


def _table(entries: Sequence[Entry], sign: str, indent: int) -> list[str]:
    """Return the statement that makes a dict, the parameters of each layer on lines of their own."""
    layers = itertools.groupby(entries, lambda entry: entry[0].rpartition(".")[0])
    return dict_lines(f"params {sign} ", [[f"{key}: {text}" for key, text in some] for _, some in layers], indent)
