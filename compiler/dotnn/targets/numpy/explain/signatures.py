"""What the functions of a call are handed, and what they return."""

from __future__ import annotations

from functools import cached_property

from dotnn.ir.node import Value
from dotnn.targets.numpy.explain.calls import Call
from dotnn.targets.numpy.explain.functions import Pair
from dotnn.targets.numpy.explain.loops import Loops
from dotnn.targets.numpy.explain.naming import inside


class Signatures(Loops):
    """The arguments and results of the functions of a call."""

    def leaving(self) -> list[Value]:
        """Return what forward returns, in order."""
        return list(self.frame.leaving.values())

    def cache(self) -> dict[str, str]:
        """Return what forward saves itself, by key."""
        return {self.keys[v.id]: self.ref(v, "forward") for v in self.frame.saved.values()}

    def handed(self, child: Call, phase: str) -> list[Value | str]:
        """Return the arguments of a call: values, and words."""
        frame, writer = self.flow.frames[child], self.writers[child]
        pair = self.served[child]
        order = [self.flow.orders[child]] if child in self.flow.orders else []
        if phase == "forward":
            values: list[Value | str] = list(frame.entering.values())
            params = writer.param_arguments("forward", self.writer_of(pair))
            modes = ["training"] * (frame.modes or frame.draws) + ["rng"] * frame.draws
            return [*values, *params, *order, *modes]
        values = list(writer.returning())
        return [*values, *writer.param_arguments("backward", self.writer_of(pair)), *order]

    def writer_of(self, pair: Pair) -> Signatures:
        """Return the writer of a pair of functions."""
        return self.writers[pair.call]

    def param_arguments(self, phase: str, model: Signatures) -> list[Value | str]:
        """Return the parameters that a call's function is handed: the values, or `p` for all of them."""
        frame = model.frame
        read = frame.params if phase == "forward" else frame.d_params
        if not model.explicit:
            return ["p"] if read else []
        short = {name: rest for rest, name in model.owned.items()}
        every = self.flow.graph.weights
        return [every[self.owned[short[name]]] for name in model.in_order(read)]

    def returning(self) -> list[Value]:
        """Return what backward is handed besides parameters and cache: the results' cotangents first."""
        order = {self.resolved(v).id: k for k, v in enumerate(self.leaving())}
        order |= {v.id: k for k, v in enumerate(self.leaving())}

        def place(v: Value) -> int:
            primal, _ = self.words.of_cotangent(v)
            return order.get(primal.id, len(order)) if primal is not None else len(order)

        return sorted(self.frame.returning.values(), key=place)

    def arguments(self, phase: str) -> list[str]:
        """Return the names of a function's arguments."""
        if self.call.parent is None:
            return []
        frame = self.frame
        order = ["order"] if self.call in self.flow.orders else []
        if phase == "forward":
            names = [self.name(v) for v in frame.entering.values()]
            names += [*self._param_names("forward"), *order]
            return names + ["training"] * (frame.modes or frame.draws) + ["rng"] * frame.draws
        cached = ["cache"] if self.reads_cache() else []
        return [*(self.name(v) for v in self.returning()), *self._param_names("backward"), *order, *cached]

    def reads_cache(self) -> bool:
        """Whether backward reads what forward has saved."""
        return bool(self.frame.saved) or any(self.served[c].saves for c in self.children)

    def _param_names(self, phase: str) -> list[str]:
        read = self.frame.params if phase == "forward" else self.frame.d_params
        if not self.explicit:
            return ["p"] if read else []
        every = self.flow.graph.weights
        return [self.name(every[name]) for name in self.in_order(read)]

    def keyed(self, v: Value) -> str:
        """Return the key under which backward returns a parameter's gradient, "" for what is no entry of that dict."""
        if self.call.parent is None or self.explicit or v.id not in self.frame.sent:
            return ""
        primal, _ = self.words.of_cotangent(v)
        if primal is None or not self.flow.owns(self.call, primal):
            return ""
        return ".".join(inside(self.flow.params[primal.id], self.call.params))

    @cached_property
    def final_entries(self) -> dict[int, list[str]]:
        """The values that are entries of this function's own dict of gradients, with their keys."""
        if self.call.parent is not None:
            return {v.id: [key] for v in self.frame.sent.values() if (key := self.keyed(v))}
        found: dict[int, list[str]] = {}
        for name, v in self.flow.graph.grads.items():
            found.setdefault(v.id, []).append(name)
        return found

    def sent(self) -> list[Value]:
        """Return what backward returns besides the dict, in order: operands, then parameters."""
        order = {i: k for k, i in enumerate(self.frame.entering)}
        every = self.flow.graph.weights
        order |= {every[name].id: len(order) + k for k, name in enumerate(self.owned.values())}

        def place(v: Value) -> int:
            primal, _ = self.words.of_cotangent(v)
            return order.get(primal.id, len(order)) if primal is not None else len(order)

        return sorted((v for v in self.frame.sent.values() if not self.keyed(v)), key=place)

    def entries(self) -> list[str]:
        """Return the keys of the dict that backward returns."""
        return [key for v in self.frame.sent.values() if (key := self.keyed(v))]
