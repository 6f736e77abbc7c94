"""Repeated blocks: a loop over equal copies."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dotnn.codegen import tree
from dotnn.targets.numpy.explain.calls import Call, Item
from dotnn.targets.numpy.explain.signatures import Signatures


class Copies(Signatures):
    """Finds the copies of a block that a loop can run through, forward and backward."""

    def copies(self, items: Sequence[Item]) -> dict[Call, list[Call]]:
        """Return the runs of equal copies of a block, by their first call, where a loop can run through them."""
        found: dict[Call, list[Call]] = {}
        run: list[Call] = []
        for item in [*items, None]:
            if isinstance(item, Call) and item.use and run and self._goes_on(run[-1], item):
                run.append(item)
                continue
            if len(run) > 1:
                found[run[0]] = list(run)
            run = [item] if isinstance(item, Call) and item.use else []
        return found

    def _goes_on(self, one: Call, other: Call) -> bool:
        """Whether a call does the same as the one before it, with what that has made alone."""
        if one.use is None or other.use is None or one.use.span != other.use.span:
            return False
        if self.served[one] is not self.served[other]:
            return False
        forward = sorted((one, other), key=lambda c: self.call.forward.index(c))
        first, second = (self.flow.frames[c] for c in forward)
        chained = list(first.leaving) == list(second.entering) and len(first.leaving) == 1
        copies = [c for c in self.call.children if c.use and c.use.span == one.use.span]
        alone = all(len(self.flow.frames[c].returning) <= 1 for c in copies)
        sends = self._back_alike(copies)
        read = self.flow.graph.outputs.values()
        shown = any(v.id in first.leaving for v in read) or bool(first.leaving.keys() & self.frame.saved.keys())
        return chained and alone and sends and not shown and bool(second.call.params or not first.params)

    def _back_alike(self, copies: Sequence[Call]) -> bool:
        """Whether all copies go back in a row, or none does."""
        places = [self.call.backward.index(c) for c in copies if c in self.call.backward]
        if not places:
            return True
        in_a_row = len(places) == len(copies) and max(places) - min(places) == len(places) - 1
        return in_a_row and all(self._sent_alike(c) for c in copies)

    def _sent_alike(self, call: Call) -> bool:
        frame = self.flow.frames[call]
        others = [v for v in frame.sent.values() if not self.writers[call].keyed(v)]
        final = self.final_entries()
        entries = [final.get(v.id, []) for v in frame.sent.values() if v not in others]
        back = self.served[call].backward
        one = len(self.flow.frames[call].returning) == 1 and back is not None and len(back.results) <= 1
        return one and len(others) <= 1 and all(len(keys) == 1 for keys in entries)

    def _loop(self, copies: Sequence[Call], *steps: tree.Stmt) -> tree.For:
        keys = [self.child_keys[c] for c in copies]
        texts = [f'"{key}"' for key in keys]
        numbered = [re.fullmatch(r"(.*?)(\d+)", key) for key in keys]
        prefixes = {m[1] for m in numbered if m}
        numbers = [int(m[2]) for m in numbered if m]
        if len(keys) > 3 and len(prefixes) == 1 and len(numbers) == len(keys):
            up = numbers[1] > numbers[0]
            order = f"range({min(numbers)}, {max(numbers) + 1})"
            order = order if up else f"reversed({order})"
            name = tree.Assign(("n",), f'f"{prefixes.pop()}{{i}}"')
            return tree.For(f"for i in {order}", (name, *steps))
        return tree.For(f"for n in ({', '.join(texts)})", tuple(steps))
