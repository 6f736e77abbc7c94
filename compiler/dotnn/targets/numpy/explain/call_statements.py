"""The statements that call the functions of blocks and layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dotnn.codegen import tree
from dotnn.ir.node import Value
from dotnn.targets.numpy.explain.calls import Call
from dotnn.targets.numpy.explain.copies import Copies
from dotnn.targets.numpy.explain.functions import Half, base_name
from dotnn.targets.numpy.explain.naming import inside


@dataclass(frozen=True)
class Taken:
    """The gradients in the dict that a call returns, under `dictionary`; `whole` if all become this function's own."""

    values: list[Value]
    dictionary: str
    whole: bool


class CallStatements(Copies):
    """Writes calls."""

    @cached_property
    def with_params(self) -> Counter[str]:
        """How many calls have their parameters under each path."""
        return Counter(c.params for c in self.children)

    def forward_call(self, child: Call, copies: Sequence[Call]) -> list[tree.Stmt]:
        """Return the statement that calls a function, or the loop over copies of a block."""
        pair, frame = self.served[child], self.flow.frames[copies[-1]]
        results = [self.name(v) for v in frame.leaving.values()]
        origin = tree.Origin("call", pair.base, child.path)
        if len(copies) == 1:
            targets = [*results, *([f'cache["{self.child_keys[child]}"]'] if pair.saves else [])]
            code = f"{pair.name}({', '.join(self._texts(child, 'forward'))})"
            return [tree.Assign(tuple(targets), code, origin=origin) if targets else tree.Do(code, origin)]
        (entering,) = self.flow.frames[child].entering.values()
        state = results[0]
        start = self.ref(entering, "forward")
        arguments = [state, *self._texts(child, "forward", loop=True)[1:]]
        targets = [state, *(["cache[n]"] if pair.saves else [])]
        step = tree.Assign(tuple(targets), f"{pair.name}({', '.join(arguments)})", origin=origin)
        begin = [tree.Assign((state,), start)] if start != state else []
        return [*begin, self._loop(copies, step)]

    def _texts(self, child: Call, phase: str, *, loop: bool = False) -> list[str]:
        texts = []
        for word in self.handed(child, phase):
            if isinstance(word, Value):
                texts.append(self.ref(word, phase))
            elif word == "p":
                texts.append(self._part(child, loop=loop))
            else:
                texts.append(word)
        return texts

    def _part(self, child: Call, *, loop: bool) -> str:
        own = "p" if self.call.parent else "params"
        path = ".".join(inside(child.params, self.call.params)) if child.params != self.call.params else ""
        if loop:
            return f"part({own}, n)"
        return f'part({own}, "{path}")' if path else own

    def backward_call(self, child: Call, copies: Sequence[Call]) -> list[tree.Stmt]:
        """Return the statements that call a backward function, and take its gradients over."""
        if len(copies) > 1:
            return self._back_through(copies)
        pair, writer = self.served[child], self.writers[child]
        back = pair.backward
        assert back is not None
        own = {writer.ref(v, "backward"): v for v in writer.sent()}
        targets = [self._target(own[name]) if name in own else "_" for name in back.results]
        taken = self._taken_gradients(child)
        if back.keys:
            targets.append(taken.dictionary if taken.values else "_")
        arguments = [*self._texts(child, "backward"), *self._cache_of(child, back, f'"{self.child_keys[child]}"')]
        code, origin = f"{pair.name}_backward({', '.join(arguments)})", tree.Origin("call", pair.base, child.path)
        step: tree.Stmt = tree.Assign(tuple(targets), code, origin=origin) if targets else tree.Do(code, origin)
        return [step, *self._take(child, taken), *self._repeated(own.values())]

    def _repeated(self, values: Iterable[Value]) -> list[tree.Stmt]:
        """Return what puts values where else they belong: a gradient of two parameters."""
        texts = [self.targets.get(v.id, []) for v in values]
        return [tree.assign(other, first) for first, *others in filter(None, texts) for other in others]

    def _taken_gradients(self, child: Call) -> Taken:
        """Return which gradients a call's dict holds, and how this function calls it; note where each is found."""
        writer = self.writers[child]
        values = [v for v in self.flow.frames[child].sent.values() if writer.keyed(v)]
        final = self.final_entries if not self.flat else {}
        whole = self._takes_whole(child, values, final)
        dictionary = "inner" if whole or not values else self.scope.free(f"d_{base_name(child)}_params")
        prefix = "".join(f"{part}." for part in inside(child.params, self.call.params))
        for v in values:
            if v.id not in final:
                key = writer.keyed(v)
                self.targets[v.id] = [f'grads["{prefix}{key}"]' if whole else f'{dictionary}["{key}"]']
        return Taken(values, dictionary, whole)

    def _takes_whole(self, child: Call, values: Sequence[Value], final: Mapping[int, Sequence[str]]) -> bool:
        """Whether all gradients of a call go among this function's own as they are."""
        alone = self.with_params[child.params] == 1
        single = all(len(final.get(v.id, [""])) == 1 for v in values)
        return bool(values) and single and (alone or all(v.id in final for v in values))

    def _cache_of(self, child: Call, back: Half, key: str) -> list[str]:
        return [f"cache[{key}]"] if "cache" in back.arguments else []

    def _back_through(self, copies: Sequence[Call]) -> list[tree.Stmt]:
        """Return the loop back through the copies of a block; one cotangent is carried by its name."""
        pair = self.served[copies[0]]
        back = pair.backward
        assert back is not None
        (first,) = self.writers[copies[0]].returning()
        state = self.name(first)
        targets = [*(state for _ in back.results), *(["inner"] if back.keys else [])]
        arguments = [state, *self._texts(copies[0], "backward", loop=True)[1:], *self._cache_of(copies[0], back, "n")]
        origin = tree.Origin("call", pair.base, copies[0].path)
        steps: list[tree.Stmt] = [
            tree.Assign(tuple(targets), f"{pair.name}_backward({', '.join(arguments)})", origin=origin)
        ]
        if back.keys:
            steps.append(tree.Assign(("grads",), '{f"{n}.{name}": g for name, g in inner.items()}', sign="|="))
        start = self.ref(first, "backward")
        begin = [tree.Assign((state,), start)] if start != state else []
        after = [tree.Assign((self._target(v),), state) for v in self.writers[copies[-1]].sent()]
        return [*begin, self._loop(copies, *steps), *(a for a in after if a.targets[0] != state)]

    def _take(self, child: Call, taken: Taken) -> list[tree.Stmt]:
        """Return the statements that put a call's gradients among this function's own."""
        if taken.whole:
            path = ".".join(inside(child.params, self.call.params)) if child.params != self.call.params else ""
            named = f'{{f"{path}.{{name}}": g for name, g in {taken.dictionary}.items()}}'
            return [tree.Assign(("grads",), named if path else taken.dictionary, sign="|=")]
        key = self.writers[child].keyed
        found = [(v, f'{taken.dictionary}["{key(v)}"]') for v in taken.values]
        return [
            tree.assign(target, text) for v, text in found for target in self.targets.get(v.id, []) if target != text
        ]
