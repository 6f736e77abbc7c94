"""The statements that call the functions of blocks and layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from dotnn.codegen import tree
from dotnn.ir.node import Value
from dotnn.targets.numpy.explain.calls import Call
from dotnn.targets.numpy.explain.copies import Copies
from dotnn.targets.numpy.explain.functions import Half, base_name
from dotnn.targets.numpy.explain.naming import inside


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
        pair, writer = self.served[child], self.writers[child]
        back = pair.backward
        assert back is not None
        if len(copies) > 1:
            return self._back_through(copies)
        own = {writer.ref(v, "backward"): v for v in writer.sent()}
        targets = [self._target(own[name]) if name in own else "_" for name in back.results]
        values = [v for v in self.flow.frames[child].sent.values() if writer.keyed(v)]
        final = self.final_entries if not self.flat else {}
        alone = self.with_params[child.params] == 1
        whole = bool(values) and (alone or all(v.id in final for v in values))
        whole = whole and all(len(final.get(v.id, [""])) == 1 for v in values)
        dictionary = "d" if whole or not values else self.scope.free(f"d_{base_name(child)}_params")
        prefix = "".join(f"{part}." for part in inside(child.params, self.call.params))
        for v in values:
            if v.id not in final:
                key = writer.keyed(v)
                self.targets[v.id] = [f'grads["{prefix}{key}"]' if whole else f'{dictionary}["{key}"]']
        if back.keys:
            targets.append(dictionary if values else "_")
        arguments = [*self._texts(child, "backward"), *self._cache_of(child, back, f'"{self.child_keys[child]}"')]
        code, origin = f"{pair.name}_backward({', '.join(arguments)})", tree.Origin("call", pair.base, child.path)
        step: tree.Stmt = tree.Assign(tuple(targets), code, origin=origin) if targets else tree.Do(code, origin)
        more = [
            tree.Assign((other,), texts[0])
            for v in own.values()
            for texts in [self.targets.get(v.id, [])]
            for other in texts[1:]
        ]
        return [step, *self._take(child, values, dictionary, whole=whole), *more]

    def _cache_of(self, child: Call, back: Half, key: str) -> list[str]:
        return [f"cache[{key}]"] if "cache" in back.arguments else []

    def _back_through(self, copies: Sequence[Call]) -> list[tree.Stmt]:
        """Return the loop back through the copies of a block; one cotangent is carried by its name."""
        pair = self.served[copies[0]]
        back = pair.backward
        assert back is not None
        (first,) = self.writers[copies[0]].returning()
        state = self.name(first)
        targets = [*(state for _ in back.results), *(["d"] if back.keys else [])]
        arguments = [state, *self._texts(copies[0], "backward", loop=True)[1:], *self._cache_of(copies[0], back, "n")]
        origin = tree.Origin("call", pair.base, copies[0].path)
        steps: list[tree.Stmt] = [
            tree.Assign(tuple(targets), f"{pair.name}_backward({', '.join(arguments)})", origin=origin)
        ]
        if back.keys:
            steps.append(tree.Assign(("grads",), '{f"{n}.{name}": g for name, g in d.items()}', sign="|="))
        start = self.ref(first, "backward")
        begin = [tree.Assign((state,), start)] if start != state else []
        after = [tree.Assign((self._target(v),), state) for v in self.writers[copies[-1]].sent()]
        return [*begin, self._loop(copies, *steps), *(a for a in after if a.targets[0] != state)]

    def _take(self, child: Call, values: Sequence[Value], dictionary: str, *, whole: bool) -> list[tree.Stmt]:
        """Return the statements that put a call's gradients among this function's own."""
        if whole:
            path = ".".join(inside(child.params, self.call.params)) if child.params != self.call.params else ""
            text = f'{{f"{path}.{{name}}": g for name, g in {dictionary}.items()}}' if path else dictionary
            return [tree.Assign(("grads",), text, sign="|=")]
        key = self.writers[child].keyed
        return [
            tree.Assign((target,), f'{dictionary}["{key(v)}"]')
            for v in values
            for target in self.targets.get(v.id, [])
            if target != f'{dictionary}["{key(v)}"]'
        ]
