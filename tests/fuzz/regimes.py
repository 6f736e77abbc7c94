"""The outputs and losses of a random spec, its metrics, and the regime of its training."""

import math
import random

from fuzz.arguments import Drawing, arguments
from fuzz.bodies import Body, Form, real
from fuzz.definitions import CLASS_LOSS, CLASS_METRIC, Own
from fuzz.registries import focus

from dotnn.core.arguments import Arg
from dotnn.library.losses import LOSSES, Loss
from dotnn.library.metrics import METRICS
from dotnn.library.optimizers import OPTIMIZERS
from dotnn.model.train import DEFAULT_KEYS, TRAIN_KEYS

STAGES = {"unit": ["sigmoid", "sigmoid -> scale(0.9)"], "class": ["softmax", "softmax -> scale(0.9)"]}
"""Ways to a probability: one that is fused with the loss, and one that is not."""
STOPS = ["early(loss)", "early(loss, patience = 1)", "when(loss < 1e-9)", "minutes(5)"]
STEPS = ("epochs", "batch")
"""Keys that say how many steps there are: they are drawn together."""


class Regime:
    """The train section of the spec of this number, and the outputs that its losses compare with targets."""

    def __init__(self, rng: random.Random, number: int, own: Own | None = None) -> None:
        self.rng, self.number, self.own = rng, number, own
        self.drawing = Drawing(rng, own=own)
        self.terms: list[str] = []
        self.metrics: list[str] = []
        self.kinds: list[str] = []

    # ------------------------------------------------------------------------------------------------ outputs

    def outputs(self, body: Body) -> list[str]:
        """Add outputs that read all that is left, with their targets; return their lines."""
        left = body.unread()
        if len(left) == 1 and self.rng.random() < 0.3:
            lines = self._as_it_is(body, left[0])
        else:
            lines = self._output(self._all_of(body, left), LOSSES[focus("loss", self.number)], 0)
        if self.rng.random() < 0.3:
            some = self.rng.sample(sorted(body.types), min(len(body.types), 2))
            reals = [name for name in some if body.types[name].dtype == "real" and body.types[name].example]
            if reals:
                lines += self._output(self._all_of(body, reals), LOSSES[self.rng.choice(sorted(LOSSES))], 1)
        return lines

    def _as_it_is(self, body: Body, name: str) -> list[str]:
        """Compare a value with a target of its own shape, whatever that is."""
        loss = LOSSES[self.rng.choice(sorted(n for n, loss in LOSSES.items() if loss.target in ("real", "sign")))]
        body.read(name)
        self._terms(loss, "y0", "t0", loss.target, 1)
        return [f"target t0: {list(body.types[name].example)}", f"output y0 = {name}"]

    def _all_of(self, body: Body, names: list[str]) -> str:
        """Return the name of a value that has the features of all of these."""
        flat = []
        for name in names:
            example = body.types[name].example
            stage = Form("{0} -> flatten", (name,))
            flat.append(name if len(example) == 1 else body.add(real(math.prod(example)), stage))
        if len(flat) == 1:
            return body.read(flat[0])
        places = ", ".join(f"{{{i}}}" for i in range(len(flat)))
        width = sum(body.types[name].example[0] for name in flat)
        return body.read(body.add(real(width), Form(f"concat({places})", tuple(flat), tight=True)))

    def _output(self, source: str, loss: Loss, place: int) -> list[str]:
        """Return the lines of an output and its target, and keep the terms of their loss."""
        width, kind = self.rng.randint(2, 4), loss.target
        stages, shape = [f"dense({width})"], f"[{width}]"
        if kind == "class" and self.rng.random() < 0.5:
            shape = f"class[{width}]"
        elif self.rng.random() < 0.2:
            stages, shape = [f"dense({2 * width})", f"reshape([2, {width}])"], f"[2, {width}]"
        if kind == "class" and not shape.startswith("class"):
            kind = "distribution"
        stages += [self.rng.choice(STAGES[loss.target])] if loss.target in STAGES else []
        self._terms(loss, f"y{place}", f"t{place}", kind, width)
        word = "" if place and self.rng.random() < 0.5 else "output "  # some are for the loss alone
        return [f"target t{place}: {shape}", f"{word}y{place} = {source} -> {' -> '.join(stages)}"]

    def _terms(self, loss: Loss, output: str, target: str, kind: str, width: int) -> None:
        """Keep one term of the loss, or two of the same kind."""
        alike = sorted(name for name, other in LOSSES.items() if other.target == loss.target)
        self.kinds.append(kind)
        for name in [loss.name, *([self.rng.choice(alike)] if self.rng.random() < 0.15 else [])]:
            weight = self.rng.choice(["", "", "0.3 * ", "2 * "])
            classes = 2 if kind == "unit" else width
            texts, _ = Drawing(self.rng, length=classes).arguments(LOSSES[name].args)
            self.terms.append(f"{weight}{name}{arguments([output, target, *texts])}")
        if self.own and self.rng.random() < 0.4:
            self.terms.append(self._own(CLASS_LOSS if kind == "class" else "loss", output, target))
        if self.own and self.rng.random() < 0.2:
            self.metrics.append(self._own(CLASS_METRIC if kind == "class" else "metric", output, target))

    def _own(self, kind: str, output: str, target: str) -> str:
        """Return a use of a loss or metric that the spec defines."""
        assert self.own
        name, _, given = self.own.call(kind).removesuffix(")").partition("(")
        return f"{name}{arguments([output, target, *([given] if given else [])])}"

    # ------------------------------------------------------------------------------------------------ the section

    def lines(self) -> list[str]:
        """The statements of the train section."""
        batch = self.rng.choice(["all", "online", "1", "2", "2", "3"])
        epochs = 3 if batch == "all" else self.rng.choice([1, 1, 2])
        lines = [f"loss = {' + '.join(self.terms)}", f"optim = {self._optimizer()}"]
        lines += [f"batch = {batch}", f"epochs = {epochs}"]
        lines += [line for arg in (*TRAIN_KEYS, *DEFAULT_KEYS) if (line := self._key(arg))]
        metrics = [*([metric] if (metric := self._metric()) else []), *self.metrics]
        lines += [f"metrics = [{', '.join(metrics)}]"] if metrics else []
        lines += [f"stop = {self.rng.choice(STOPS)}"] if self.rng.random() < 0.1 else []
        return [*lines, *(["checkpoint = every(1)"] if self.rng.random() < 0.1 else [])]

    def _key(self, arg: Arg) -> str:
        if arg.name in STEPS or self.rng.random() < 0.6:
            return ""
        if not arg.kind.registry:
            found = self.drawing.value(arg)
        else:
            member = focus(arg.kind.registry, self.number) if self.rng.random() < 0.7 else ""
            found = self.drawing.member(arg.kind, member)
        return f"{arg.name} = {found.text}" if found is not None else ""

    def _optimizer(self) -> str:
        if self.own and self.rng.random() < 0.2:
            return self.own.call("optimizer")
        optimizer = OPTIMIZERS[focus("optimizer", self.number)]
        rate = next(arg for arg in optimizer.args if arg.kind.registry == "schedule")
        if self.rng.random() < 0.5:
            return self.drawing.call(optimizer.name, optimizer.args)[0]
        schedule = self.drawing.member(rate.kind, focus("schedule", self.number // len(OPTIMIZERS))).text
        if self.own and self.rng.random() < 0.3:
            schedule = self.own.call("schedule")
        others = self.drawing.named([arg for arg in optimizer.args if arg is not rate])
        return f"{optimizer.name}{arguments([f'{rate.name} = {schedule}', *others])}"

    def _metric(self) -> str:
        """A metric that the target of some loss fits, with arguments where all such targets take them."""
        fitting = {
            name: kinds for name, metric in METRICS.items() if (kinds := set(metric.functions) & set(self.kinds))
        }
        if not fitting or self.rng.random() < 0.5:
            return ""
        name = focus("metric", self.number)
        name = name if name in fitting else self.rng.choice(sorted(fitting))
        metric = METRICS[name]
        takes = fitting[name] <= set(metric.args_for)
        return f"{name}{arguments(self.drawing.named(metric.args) if takes else [])}"
