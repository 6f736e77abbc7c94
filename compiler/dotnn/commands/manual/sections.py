"""The keys of the sections of a spec."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dotnn.commands.manual.markdown import arguments, code, default, table
from dotnn.core.arguments import Arg
from dotnn.library.sources import SOURCES
from dotnn.model import data, resolve, splits, stops, train, turns
from dotnn.model.settings import SETTINGS
from dotnn.targets import WITNESSES

_BY_HAND = {
    "loss": "`loss(output, target)`, or a weighted sum of such terms. Must be given",
    "optim": "an optimizer; default `sgd(0.01)`",
    "freeze": "layers, blocks and parameters that are not trained: `freeze = [encode, h1.W]`; default: none",
    "stop": "`when(quantity < number)`, `early(quantity, …)`, `minutes(number)`, or a list of them; default: none",
    "checkpoint": "`every(epochs, keep = last)`: what `dotnn train --resume` continues from; default: none",
    "metrics": "a metric, or a list; default: none",
    turns.UPDATES: "in a named section: layers, blocks and parameters that it updates, `updates = [critic, h1.W]`",
    "source": ", ".join(f"`{s.form[:-1]}, …)`" for s in SOURCES.values() if not s.single),
    "val": 'the file of the validation part, `csv("val.csv")`, with the columns or arrays of the source',
    "test": "the file of the test part",
    "missing": "what becomes of gaps, `median(x)`, or a list; without names of every input of real numbers",
    "scale": "a scaling, `standard(x)`, or a list; without names of every input of real numbers",
    "one_hot": "names of inputs or targets whose class numbers become one-hot rows",
    "split": "`split(train = 80%, val = 10%, test = 10%, seed = 0)`, and one of `stratify = target`, `order = file`, "
    "`order = column` and `groups = column`; default: all for training",
    "weights": "a column, or an array: how much each example counts; default: all alike",
    "augment": "how the training examples are changed at random, `flip(horizontal)`, or a list; default: not at all",
    "against": f"a list of {', '.join([*resolve.ORACLES, *WITNESSES])}; default: what the command line says",
}


def _keys(names: Iterable[str], args: Iterable[Arg]) -> str:
    by_name = {a.name: a for a in args}
    rows = []
    for name in names:
        arg = by_name.get(name)
        told = SETTINGS[name].doc if name in SETTINGS else _BY_HAND.get(name, "")
        text = f"{arg.doc}; {arg.kind.expected}; default {code(default(arg))}" if arg else told
        rows.append((code(name), text))
    return table(("key", "is"), rows)


def _train() -> str:
    names = (*train.TRAIN_KEY_NAMES, turns.UPDATES, turns.STEPS.name)
    keys = _keys(names, (*train.TRAIN_KEYS, *train.DEFAULT_KEYS, turns.STEPS))
    calls = [("early", stops.EARLY), ("minutes", stops.MINUTES), ("every", train.CHECKPOINT)]
    return f"{keys}\n\n{arguments([*calls, *(call for setting in SETTINGS.values() for call in setting.args)])}"


def _data() -> str:
    return f"{_keys(data.DATA_KEYS, (data.TAKE,))}\n\n{arguments([('split', splits.SPLIT)])}"


def _check() -> str:
    return _keys([*(a.name for a in resolve.CHECK_KEYS), "against"], resolve.CHECK_KEYS)


KEYS: dict[str, Callable[[], str]] = {"train": _train, "data": _data, "check": _check}
"""What makes the table of the keys of a section."""
