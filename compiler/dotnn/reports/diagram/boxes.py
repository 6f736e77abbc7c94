"""What is drawn of a model: a box for each input, layer, loss and target, or for each block; an arrow for each use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import takewhile

from dotnn.core.arguments import show
from dotnn.model.model import Declared, LossTerm, Model, Step, Use

Arrow = tuple[str, str, int]
"""The names of the boxes at its tail and at its head, and its number among those between them, from 0."""


@dataclass(frozen=True)
class Box:
    """A box: its `kind` (input, layer, block, output, target or loss), and its lines of text, the first the heading.

    One that `loops` goes over the steps of a sequence.
    """

    name: str
    kind: str
    lines: tuple[str, ...]
    loops: bool = False


@dataclass(frozen=True)
class Diagram:
    """A network as boxes, in an order in which every arrow points to a later one, and as arrows."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def diagram_of(model: Model, *, unfold: bool = False) -> Diagram:
    """Return the diagram of a model: a use of a block is one box, or with `unfold` its layers are.

    Uses of the same weights are one box, unless arrows would then lead in a circle.
    """
    own = {s.path: s.places.uses[0].path if s.places.uses and not unfold else s.path for s in model.steps}
    for homes in (_shared(model, own), own):
        try:
            return _drawn(model, homes, own)
        except CycleError:
            continue
    raise AssertionError("the steps of a model depend on each other in a circle")


def _shared(model: Model, own: Mapping[str, str]) -> dict[str, str]:
    """Return the boxes of steps where layers, and uses of blocks, are in that of the first with the same weights.

    They stay in their `own` where one use reads what another makes.
    """
    weights: dict[str, tuple[str, ...]] = {}
    for step in model.steps:
        home = own[step.path]
        weights[home] = (*weights.get(home, ()), *step.params.values())
    first: dict[tuple[str, ...], str] = {}
    moved = {home: first.setdefault(names, home) if names else home for home, names in weights.items()}
    chained = any(
        own[path] != own[step.path] and moved[own[path]] == moved[own[step.path]]
        for step in model.steps
        for path in step.ins
        if path in own
    )
    return {path: home if chained else moved[home] for path, home in own.items()}


def _drawn(model: Model, homes: Mapping[str, str], own: Mapping[str, str]) -> Diagram:
    """Return the diagram with steps in the boxes `homes`, each in its `own` were no weights shared.

    Raises `CycleError` where arrows lead in a circle.
    """
    blocks = {homes[path] for path, home in own.items() if home != path}
    members: dict[str, list[Step]] = {}
    for step in model.steps:
        members.setdefault(homes[step.path], []).append(step)
    outputs = {homes.get(path, path): None for path in model.outputs.values()}
    boxes = [
        *map(_declared, [*model.inputs.values(), *model.targets.values()]),
        *(
            _of_steps(
                model,
                name,
                steps,
                len({own[step.path] for step in steps}),
                is_block=name in blocks,
                is_output=name in outputs,
            )
            for name, steps in members.items()
        ),
        *(_loss(number, term) for number, term in enumerate(model.train.losses)),
    ]
    arrows: list[Arrow] = []
    before: dict[str, list[str]] = {box.name: [] for box in boxes}
    for tail, head in _uses(model, homes):
        arrows.append((tail, head, before[head].count(tail)))
        before[head].append(tail)
    named = {box.name: box for box in boxes}
    return Diagram(model.name, tuple(named[name] for name in TopologicalSorter(before).static_order()), tuple(arrows))


def _uses(model: Model, homes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the boxes of a value and of its reader, once for each time that it is read; a block is given it once."""
    blocks = {homes[step.path] for step in model.steps if step.places.uses and homes[step.path] != step.path}
    given: set[tuple[str, str]] = set()
    for step in model.steps:
        for path in step.ins:
            tail, head = homes.get(path, path), homes[step.path]
            if tail != head and not (head in blocks and (tail, head) in given):
                yield tail, head
            given.add((tail, head))
    for number, term in enumerate(model.train.losses):
        yield from ((homes.get(path, path), _loss_name(number)) for path in dict.fromkeys(term.outputs))
        yield from ((_target_name(name), _loss_name(number)) for name in term.targets if name in model.targets)


def _declared(item: Declared) -> Box:
    kind = item.shown if item.kind == "class" else f"{item.kind} {_shape(item.type.shape)}"
    return Box(item.name if item.role == "input" else _target_name(item.name), item.role, (item.name, kind))


def _target_name(name: str) -> str:
    """Return the name of the box of a target, which no path in a model has."""
    return f"target {name}"


def _loss_name(number: int) -> str:
    return f"loss {number}"


def _loss(number: int, term: LossTerm) -> Box:
    weight = "" if term.weight == 1 else f"{show(term.weight)} × "
    return Box(_loss_name(number), "loss", (f"{weight}{term.loss.name}({', '.join(term.operands)})",))


def _of_steps(model: Model, name: str, steps: Sequence[Step], uses: int, *, is_block: bool, is_output: bool) -> Box:
    """Return the box of a layer or of a block, and of all `uses` of it."""
    first, last = steps[0], steps[-1]
    size = _size(model, steps)
    shown = _shape(last.type.shape) + (f", {size:,} parameters" if size else "")
    where = name if uses == 1 else f"{_layer_of(steps)}, used {uses} times"
    kind = "output" if is_output else "block" if is_block else "layer"
    if is_block:
        return Box(name, kind, (_call(first.places.uses[0]), where, shown))
    loops = any(arg.name == "returns" for arg in last.layer.args)
    return Box(name, kind, (last.call, where, shown), loops)


def _size(model: Model, steps: Sequence[Step]) -> int:
    """Return how many numbers the parameters of some steps are, those that they share counted once."""
    names = {full for step in steps for full in step.params.values()}
    return sum(model.params[full].size for full in names)


def _call(use: Use) -> str:
    return f"{use.block}({', '.join(map(show, use.args.values()))})" if use.args else use.block


def _layer_of(steps: Sequence[Step]) -> str:
    """Return the name of the layer, or of the block, whose weights some steps use: what their names begin with."""
    names = [full.split(".")[:-1] for step in steps for full in step.params.values()]
    alike = takewhile(lambda parts: len({*parts}) == 1, zip(*names, strict=False))
    return ".".join(parts[0] for parts in alike)


def _shape(shape: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, shape))}]"
