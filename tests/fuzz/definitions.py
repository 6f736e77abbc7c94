"""Random definitions of every kind: they are drawn where a spec asks for one, and written before what uses them."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fuzz.formulas import REDUCED, elements, formula

from dotnn.model.definitions import KINDS
from dotnn.model.definitions.init import DRAWS

SINGLE = ["mean({0})", "sum({0}) / 4", "log(1 + sum({0}^2))", "sqrt(sum({0}^2))", "max({0})", "logsumexp({0})"]
"""One number of all of an example."""
CELL, CLASS_LOSS, CLASS_METRIC = "cell", "loss of a class", "metric of a class"


@dataclass
class Own:
    """What one spec defines. A definition may call those that were drawn before it."""

    rng: random.Random
    texts: dict[str, str] = field(default_factory=dict)
    calls: dict[str, list[str]] = field(default_factory=dict)

    def call(self, kind: str) -> str:
        """A call of a definition of a kind, of one that is there or a new one: `name`, or `name(arguments)`."""
        if kind not in self.calls or self.rng.random() < 0.4:
            name = f"own{len(self.texts) + 1}"
            text, *calls = DRAWN[kind](self, name)
            self.calls.setdefault(kind, []).extend(call.format(name) for call in calls)
            self.texts[name] = text
        return self.rng.choice(self.calls[kind])

    def activations(self) -> list[str]:
        """Templates of calls of the activations that are there."""
        return [
            f"{name}({{0}}{', ' * bool(given)}{given.removesuffix(')')})"
            for name, _, given in (call.partition("(") for call in self.calls.get("activation", []))
        ]

    def written(self, text: str) -> str:
        """The text of a spec behind the definitions that it uses, and that those use."""
        for name, definition in reversed(self.texts.items()):
            if re.search(rf"\b{name}\b", text):
                text = f"{definition}\n{text}"
        return text

    # --------------------------------------------------------------------------------------------------- formulas

    def some(self, leaves: Sequence[str], parts: Sequence[str] = (), depth: int = 6) -> str:
        """A formula over some names, of all that there is for elements and of further templates."""
        return formula(self.rng, self.rng.randint(1, depth), leaves, [*elements(self.rng, self.activations()), *parts])

    def number(self, *numbers: float) -> str:
        """The default of an argument, with limits or without."""
        chosen = self.rng.choice(numbers)
        return f"{chosen} in -9..9" if self.rng.random() < 0.3 else f"{chosen}"

    def single(self, leaves: Sequence[str], depth: int = 4) -> str:
        """One number of all of an example, or of all of an array."""
        made = self.rng.choice(SINGLE).format(f"({self.some(leaves, REDUCED, depth)})")
        return f"{made} * {self.rng.choice(SINGLE).format(leaves[0])}" if self.rng.random() < 0.2 else made

    # ------------------------------------------------------------------------------------------------------- kinds

    def activation(self, name: str) -> tuple[str, ...]:
        """An activation of one argument, which its formula reads."""
        made, default = self.some(["z", "z", "a"], depth=4), self.number(0.5, 1, -2)
        return f"activation {name}(z, a = {default}) = {made} + 0.1 * a * z", "{0}", "{0}(0.7)", "{0}(a = 2)"

    def loss(self, name: str) -> tuple[str, ...]:
        """A loss of numbers, which may call another one."""
        made = self.single(["y", "t", "q * t"])
        others = [call for call in self.calls.get("loss", []) if "(" not in call]
        made += f" + 0.3 * {self.rng.choice(others)}(y, t)" if others and self.rng.random() < 0.5 else ""
        text = f"loss {name}(y, t, q = {self.number(0.5, 2)}) = {made} + q * mean((y - t)^2)"
        return text, "{0}", "{0}(q = 0.3)", "{0}(reduce = sum)"

    def class_loss(self, name: str) -> tuple[str, ...]:
        """A loss of probabilities for a class."""
        return f"loss {name}(p, k: class) = {self.single(['p', 'p[k]'], 3)} - log(p[k])", "{0}", "{0}(reduce = sum)"

    def metric(self, name: str) -> tuple[str, ...]:
        """A metric of numbers."""
        made = f"{self.single(['y', 't', 'q * y'])} + 0 * q * mean(y * t)"
        return f"metric {name}(y, t, q = {self.number(0.5, 2)}) = {made}", "{0}", "{0}(q = 1)"

    def class_metric(self, name: str) -> tuple[str, ...]:
        """A metric of probabilities for a class."""
        return f"metric {name}(p, k: class) = {self.single(['p', 'p[k]'], 3)} + p[k]", "{0}"

    def penalty(self, name: str) -> tuple[str, ...]:
        """A penalty of a weight of any rank."""
        made = f"s * ({self.single(['w'], 3)} + mean(w^2))"
        return f"penalty {name}(w, s = {self.number(0.01, 0.1)}) = {made}", "{0}", "{0}(0.02)"

    def constraint(self, name: str) -> tuple[str, ...]:
        """A constraint: its values are bounded."""
        made = f"clip(s * ({self.some(['w'], REDUCED, 3)}), -2, 2)"
        return f"constraint {name}(w, s = {self.number(0.5, 2)}) = {made}", "{0}", "{0}(s = 1.5)"

    def init(self, name: str) -> tuple[str, ...]:
        """An initialiser of one or two draws."""
        draws = [f"{d}(a / 2)" if d in ("normal", "constant") else d for d in DRAWS]
        first, second = self.rng.choice(draws), self.rng.choice(draws)
        size = self.rng.choice(["1", "sqrt(n_out)", "(n_in + n_out)", "sqrt(n_in * 2)"])
        more = f" + tanh({second})" if self.rng.random() < 0.4 else ""
        return f"init {name}(a = {self.number(0.5, 1)}) = a * {first} / {size}{more}", "{0}", "{0}(0.3)"

    def schedule(self, name: str) -> tuple[str, ...]:
        """A schedule whose rate stays below the one that is given."""
        made = self.some(["step / steps", "epoch / epochs", "(step + 1) / 3", "epoch mod 2", "cos(pi * step)"], depth=3)
        made = f"lr * sigmoid({made} - p)"
        return f"schedule {name}(lr, p = {self.number(0.5, 3)}) = {made}", "{0}(0.01)", "{0}(0.02, p = 1)"

    def optimizer(self, name: str) -> tuple[str, ...]:
        """An optimizer of one or two slots, whose steps are bounded."""
        two = self.rng.random() < 0.5
        lines = ["slot m = 0", *(["slot v = 0.1"] if two else [])]
        lines += [f"m = b * m + (1 - b) * (g + 0.1 * sin({self.some(['g', 'm', 'w', '(1 / t)', 'b'], depth=3)}))"]
        lines += [f"v = max(b * v, g^2) + 0 * {self.rng.choice(['step', 'epoch', 'epochs', 'steps', 'pi'])}"] * two
        lines += [f"d = tanh({self.some(['m', 'g', *(['v'] if two else [])], depth=3)})"]
        lines += [f"w = w - lr * (d + m{' / sqrt(v + 0.1)' * two})"]
        head = f"optimizer {name}(lr = 0.02, b = 0.9 in 0..1)"
        return "\n  ".join([f"{head} {{", *lines]) + "\n}", "{0}", "{0}(0.01)", "{0}(b = 0.5)"

    def cell(self, name: str) -> tuple[str, ...]:
        """A step of time with one or two states, and parameters."""
        two = self.rng.random() < 0.5
        known = ["z", "z", "h", *(["c"] if two else [])]
        lines = ["input x: [n]", "state h: [units] = 0", *(["state c: [units] = 0.3"] if two else [])]
        lines += ["param W: [n, units]", "param U: [units, units] = orthogonal", "param b: [units]"]
        lines += ["z = x @ W + h @ U + b"]
        lines += [f"g = z + sin({self.some(known, depth=3)})"]
        lines += [f"next c = {self.rng.choice(['c / 2', 'tanh(c)', 'sigmoid(g) * c'])} + tanh(g)"] * two
        lines += [f"next h = tanh({self.some([*known, 'g'], depth=2)} + g)"]
        lines += ["y = sin(g) + z"] if (made := self.rng.random() < 0.3) else []
        lines += [f"output {'y' if made else self.rng.choice(['h', *(['c'] if two else [])])}"]
        return "\n  ".join([f"cell {name}(units) {{", *lines]) + "\n}", "{0}"


DRAWN: dict[str, Callable[[Own, str], tuple[str, ...]]] = {
    **{kind: getattr(Own, kind) for kind in KINDS},
    "decay": Own.penalty,
    CELL: Own.cell,
    CLASS_LOSS: Own.class_loss,
    CLASS_METRIC: Own.class_metric,
}
"""How a definition of each kind is drawn: its text, and calls of it, with {0} in the place of its name."""
