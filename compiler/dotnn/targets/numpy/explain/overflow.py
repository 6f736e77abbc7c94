"""After a training: the arrays in which a number that is not finite may be, and no loss shows it."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator, Sequence

from dotnn.codegen import optimizer, tree
from dotnn.codegen.lines import literal
from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.targets.numpy.explain.trained import Trained

Paths = dict[str, tuple[str, ...]]
"""The keys that lead to values in a cache, by the layers that make them."""


def watched(parts: Sequence[Trained], few: str) -> Generator[tree.Stmt, None, str]:
    """Yield what gathers the arrays; return their name. `few` are examples to run the network on."""
    memories = [memory for part in parts for memory in _memories(part)]
    vanishing = _vanishing(parts)
    if not memories and not vanishing:
        return "params"
    first, *others = memories or ["{}"]
    yield tree.assign("arrays", f"params | {first}")
    yield from (tree.assign("arrays", other, "|=") for other in others)
    for forward, layers in vanishing.items():
        yield tree.Note("a variance that has overflowed leaves 1 / sigma = 0, and no loss shows it")
        yield tree.assign("cache", f"{forward}(params, {few})[1]")
        yield from _inverted(layers)
    return "arrays"


def _vanishing(parts: Sequence[Trained]) -> dict[str, Paths]:
    """Return where the caches have such values, by the pass; what several sections compute is of the first."""
    found: dict[str, Paths] = {}
    seen: set[str] = set()
    for part in parts:
        own = {layer: path for layer, path in part.network.vanishing.items() if layer not in seen}
        seen |= own.keys()
        found |= {part.names.own("forward"): own} if own else {}
    return found


def _memories(part: Trained) -> Iterator[str]:
    """Yield the expression of the optimizer's memory by what its arrays are of, if it has one."""
    slots, memory = tuple(optimizer.slots(part.section.train)), part.names.entry("memory")
    if len(slots) == 1:
        yield f'{{f"{slots[0]} of {{n}}": a for n, a in {memory}["{slots[0]}"].items()}}'
    elif slots:
        yield f'{{f"{{s}} of {{n}}": a for s in {literal(slots)} for n, a in {memory}[s].items()}}'


def _inverted(paths: Paths) -> Iterator[tree.Stmt]:
    """Yield what adds 1 / v to the arrays for values in the cache, by their layers, each with the keys that lead there.

    Caches of equal blocks, which only their key in the whole one tells apart, are gone through in a loop.
    """
    inner: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for layer, (first, *rest) in paths.items():
        inner.setdefault(first, []).append((_beyond(layer, first), tuple(rest)))
    for rests, alike in itertools.groupby(inner, key=inner.__getitem__):
        some = tuple(alike)
        if len(some) == 1:
            yield from (_inverse(literal(name.format(n=some[0])), literal(some[0]), rest) for name, rest in rests)
        else:
            yield tree.For(f"for n in {literal(some)}", tuple(_inverses(rests)))


def _beyond(layer: str, first: str) -> str:
    """Return the name of a layer, `{n}` in place of the key that it begins with."""
    begins = f"{layer}.".startswith(f"{first}.")
    return "{n}" + layer.removeprefix(first) if begins else layer


def _inverses(rests: Sequence[tuple[str, tuple[str, ...]]]) -> Iterator[tree.Stmt]:
    """Yield what adds 1 / v for the values in the cache of each `n`: at once where they differ in one key alone."""
    last = rests[0][1][1:]
    keys = tuple(rest[0] for name, rest in rests if (name, rest[1:]) == (f"{{n}}.{''.join(rest[:1])}", last))
    at_once = f'{{f"{{n}}.{{k}}": 1 / cache[n][k]{_subscripts(last)} for k in {literal(keys)}}}'
    if len(keys) == len(rests) > 1 and len(f"arrays |= {at_once}") <= WIDTH - 2 * INDENT:
        yield tree.assign("arrays", at_once, "|=")
    else:
        yield from (_inverse("n" if name == "{n}" else f'f"{name}"', "n", rest) for name, rest in rests)


def _inverse(name: str, first: str, rest: Iterable[str]) -> tree.Assign:
    return tree.assign(f"arrays[{name}]", f"1 / cache[{first}]{_subscripts(rest)}")


def _subscripts(keys: Iterable[str]) -> str:
    return "".join(f"[{literal(key)}]" for key in keys)
