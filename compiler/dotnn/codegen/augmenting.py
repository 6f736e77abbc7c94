"""How a script changes the training examples at random: `augment(examples, rng)`, the same in all targets."""

from __future__ import annotations

from collections.abc import Iterator

from dotnn.codegen import paste, tree
from dotnn.codegen.lines import indented
from dotnn.codegen.printer import printed
from dotnn.core.arguments import Bound, Symbol
from dotnn.library.augmentations import Augmentation
from dotnn.model.model import Augmented, Model

DOC = "Return the training examples as one epoch sees them, each changed at random."


def changes(model: Model) -> tuple[Augmented, ...]:
    """Return what is done to the training examples."""
    return model.data.augment if model.data else ()


def generator(epoch: str) -> str:
    """Return the expression of the generator of an epoch: it is its own, so that no state of it is kept."""
    return f"np.random.default_rng([seed, 3, {epoch}])"


def augmented(examples: str, epoch: str) -> str:
    """Return the expression of the examples as an epoch sees them."""
    return f"augment({examples}, {generator(epoch)})"


def body(model: Model) -> tuple[tree.Stmt, ...]:
    """Return the statements of `augment`; none where nothing is changed."""
    return tuple(_body(model)) if changes(model) else ()


def _body(model: Model) -> Iterator[tree.Stmt]:
    declared = {**model.inputs, **model.targets}
    done = [(c, c.way.entry.draws(c.way.attrs, declared[c.names[0]].type.example)) for c in changes(model)]
    yield tree.assign("seen", "dict(examples)")
    if any(draws for _, draws in done):
        yield tree.assign("count", f'len(seen["{next(iter(model.inputs))}"])')
    for change, draws in done:
        way = change.way
        source = f", {way.entry.source}" if way.entry.source else ""
        yield tree.Note(f"{_shown(way)}{source}")
        for name, drawn in draws.items():
            yield tree.assign(name, drawn)
        made = way.entry.apply(way.attrs)
        for name in change.names:
            yield tree.assign(f'seen["{name}"]', made.replace("{values}", f'seen["{name}"]'))
    yield tree.Return("seen")


def _shown(way: Bound[Augmentation]) -> str:
    """Return the call as a spec has it, words without quotes."""
    words = {arg.name: Symbol(way.attrs[arg.name]) for arg in way.entry.args if arg.kind.choices}
    return str(Bound(way.entry, {**way.attrs, **words}))


def lines(model: Model) -> list[str]:
    """Return the lines of the body of `augment`."""
    return indented(printed(list(body(model)), 4), 4) if changes(model) else []


def helpers(model: Model) -> set[str]:
    """Return the functions of the runtime that `augment` calls."""
    return paste.called_in("\n".join(lines(model)))
