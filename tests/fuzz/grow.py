"""Random valid specs: any graph of layers, joins, blocks and shared layers, under any losses and any regime.

A spec is a function of its number. All members come from the registries, in turn and by chance: a new one is drawn as
soon as it exists, with arguments from its schema and operands of whatever types its shape rule takes. One that no types
are found for raises `Undrawable`.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from fuzz.arguments import Drawing, arguments
from fuzz.bodies import Body, Fitting, Form, real
from fuzz.definitions import CELL, Own
from fuzz.extras import with_extras
from fuzz.formulas import for_shape
from fuzz.regimes import Regime
from fuzz.registries import focus

from dotnn.ir.tensor import TensorType
from dotnn.library.layers import LAYERS
from dotnn.library.layers.base import INIT

ACTIVATIONS = sorted(name for name, layer in LAYERS.items() if layer.family == "activation")
JOINS = sorted(name for name, layer in LAYERS.items() if layer.family == "join")


MOST = 7
"""So many statements at most, beside those that bring types together."""


NUMBERS_EVERY = 8
"""One in so many specs has an input of single numbers, of no axis."""


EXTRAS_EVERY = 3
"""One in so many specs has something of `extras`."""


DEFINING_EVERY = 2
"""All specs but one in so many have expressions, and definitions of their own."""


class Undrawable(Exception):
    """No operands were found that a layer takes."""


def spec(number: int, *, moods: bool = True, files: bool = True) -> str:
    """The text of the spec of this number.

    Without `moods` it computes the same in training as in prediction; without `files` no weight comes from a file.
    """
    rng = random.Random(number)
    own = Own(rng) if number % DEFINING_EVERY else None
    growth = Growth(rng, moods, own)
    if number % NUMBERS_EVERY == NUMBERS_EVERY // 2:
        growth.model.declare(real())
    first = focus("layer", number)
    growth.use(first if moods or first not in MOODY else "dense")
    for _ in range(rng.randint(0, MOST)):
        growth.step()
    growth.finish()
    regime = Regime(rng, number, own)
    outputs = regime.outputs(growth.model)
    model = [*growth.model.lines(), *outputs]
    train = _indented(regime.lines())
    text = f"{growth.blocks_text(model)}model Random {{\n{_indented(model)}\n}}\ntrain {{\n{train}\n}}\n"
    text = own.written(text) if own else text
    text = with_extras(text, rng, moods=moods) if number % EXTRAS_EVERY == 1 else text
    return text if files else re.sub(r"\bfile\([^)]*\)", "xavier", text)


def _indented(lines: list[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


MOODY = ("dropout", "gaussian_noise", "sequence_dropout", "batchnorm")
"""Layers that compute something else in training, beside those with an argument that says so."""


@dataclass
class Block:
    """A block that is there: the types it takes, the one it makes, its arguments for a call."""

    name: str
    takes: list[TensorType]
    makes: TensorType
    calls: list[str]
    lines: list[str]


@dataclass
class Growth:
    """The network as it grows."""

    rng: random.Random
    moods: bool
    own: Own | None = None
    blocks: list[Block] = field(default_factory=list)

    def __post_init__(self) -> None:
        sizes = [*self.rng.sample([1, 2, 3, 4], 2), self.rng.choice([3, 4, 5, 6])]
        self.body = self.model = Body(self.rng, sizes, self.own)
        for _ in range(self.rng.randint(1, 2)):
            self.body.declare(real(*(self.rng.choice(sizes) for _ in range(self.rng.choice([1, 1, 2])))))

    # ------------------------------------------------------------------------------------------------ statements

    def step(self) -> None:
        """Add a statement of some sort."""
        kinds: list[tuple[Callable[[], None], int]] = [
            (self._anything, 6), (self._joined, 3), (self._shared, 2), (self._repeated, 1), (self._block, 2),
            (self._centred, 1),
        ]  # fmt: skip
        if self.own:
            kinds += [(self._formula, 3), (self._activation, 1), (self._cell, 1)]
            kinds += [(self._product, 4)] if self.body.is_block else []
        self.rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()

    def _member(self, names: list[str]) -> str:
        fitting = [name for name in names if self.moods or name not in MOODY]
        return self.rng.choice(fitting)

    def _anything(self) -> None:
        self.use(self._member(sorted(LAYERS)))

    def _joined(self) -> None:
        self.use(self._member(JOINS))

    def _centred(self) -> None:
        """A value beside what its own features have in common, spread over all of them again."""
        types = [t for t in self.body.types.values() if t.dtype == "real" and t.example and t.example[-1] > 1]
        if not types:
            return self._anything()
        value = self.body.value(self.rng.choice(types))
        type = self.body.types[value]
        one = real(*type.example[:-1], 1)
        common = self.body.add(one, Form(f"{{0}} -> {self.rng.choice(['mean_features', 'sum_features'])}", (value,)))
        spread = self.body.add(type, Form(f"{{0}} -> spread({type.example[-1]})", (common,)))
        self.body.add(type, Form(f"{{0}} {self.rng.choice('+-*')} {{1}}", (value, spread), wants_tight=True))

    def _real(self, ranks: tuple[int, ...] = (1, 2, 3)) -> TensorType | None:
        """The type of a value of real numbers that is there, None where there is none of so many axes."""
        found = [t for t in self.body.types.values() if t.dtype == "real" and len(t.example) in ranks]
        return self.rng.choice(found) if found else None

    def _formula(self) -> None:
        """An expression of values of one type."""
        type = self._real()
        if type is None:
            return self._anything()
        assert self.own
        text = self.own.some([f"own_{i}" for i in range(3)], for_shape(type.example), self.rng.choice([2, 3, 6]))
        read = [name for name in (f"own_{i}" for i in range(3)) if name in text]
        for place, name in enumerate(read):
            text = text.replace(name, f"{{{place}}}")
        operands = tuple(self.body.value(type) for _ in read)
        text = f"tanh({text})" if self.rng.random() < 0.5 else text
        self.body.add(type, Form(text, operands, wants_tight=True))

    def _activation(self) -> None:
        """A use of an activation that the spec defines, as a stage or as a function."""
        type = self._real()
        if type is None:
            return self._anything()
        assert self.own
        call, value = self.own.call("activation"), self.body.value(type)
        name, _, given = call.removesuffix(")").partition("(")
        as_function = Form(f"{name}({', '.join(['{0}', *([given] if given else [])])})", (value,), tight=True)
        self.body.add(type, self.rng.choice([as_function, Form(f"{{0}} -> {call}", (value,))]))

    def _cell(self) -> None:
        """A use of a cell that the spec defines."""
        type = self._real((2,))
        if type is None or self.body.is_block:
            return self._anything()
        assert self.own
        sequence, units = self.body.value(type), self.rng.randint(1, 4)
        time, given = type.example[0], [str(units)]
        operands = [sequence]
        if self.rng.random() < 0.3:
            operands.append(self.body.value(TensorType((*type.shape[:1], time), "bool")))
            given.append("mask = {1}")
        if self.rng.random() < 0.3:
            given.append(f"initial = {{{len(operands)}}}")
            operands.append(self.body.value(real(units)))
        whole = self.rng.random() < 0.5
        given += ["returns = sequence"] if whole else []
        given += [text for text in ("reverse = true", "truncate = 2") if self.rng.random() < 0.2]
        made = real(time, units) if whole else real(units)
        self.body.add(made, Form(f"{self.own.call(CELL)}({', '.join(['{0}', *given])})", tuple(operands), tight=True))

    def _product(self) -> None:
        """A product with a parameter of the block, and perhaps one that is added or multiplied."""
        type = self._real()
        if type is None:
            return self._anything()
        width, value = self.body.size(), self.body.value(type)
        W, b, s = (self.body.fresh(letter) for letter in ("W", "b", "s"))
        init = Drawing(self.rng, own=self.own).member(INIT).text
        start = f" = {init}" if self.rng.random() < 0.4 else ""
        self.body.declared.append(f"param {W}: [{type.example[-1]}, {width}]{start}")
        text = f"{{0}} @ {W}"
        if self.rng.random() < 0.6:
            self.body.declared.append(f"param {b}: [{width}]{' as weight' * (self.rng.random() < 0.2)}")
            text += f" + {b}"
        if self.rng.random() < 0.3:
            self.body.declared.append(f"param {s}: [] = 0.8")
            text = f"{s} * tanh({text}) + exp({s})"
        self.body.add(real(*type.example[:-1], width), Form(text, (value,), wants_tight=True))

    def use(self, member: str) -> None:
        """Apply a layer to values of types that it takes."""
        found = self._fitting(member)
        if found is None:
            return
        types, texts, result = found
        operands = [self.body.value(type) for type in types]
        self.body.add(result, self.body.write(member, operands, texts))

    def _fitting(self, member: str) -> Fitting | None:
        found = self.body.fitting(member, moods=self.moods)
        if found is None and not self.body.is_block:
            raise Undrawable(f"no operands and arguments were found that {member} takes")
        return found

    def _shared(self) -> None:
        """Two or three uses of one layer, one of them perhaps of what it has made itself."""
        member = self._member(sorted(n for n, layer in LAYERS.items() if layer.family != "join"))
        found = self._fitting(member)
        if found is None:
            return
        types, texts, result = found
        layer = self.body.fresh("s")
        self.body.declared.append(f"layer {layer} = {member}{arguments(texts)}")
        made: list[str] = []
        for _ in range(self.rng.choice([1, 2, 2, 2, 3])):
            operands = [self.body.value(type) for type in types]
            if made and result == types[0] and self.rng.random() < 0.4:
                operands[0] = self.rng.choice(made)
            rest = arguments([f"{{{i}}}" for i in range(1, len(operands))])
            made.append(self.body.add(result, Form(f"{{0}} -> {layer}{rest}", tuple(operands))))

    def _repeated(self) -> None:
        """Copies of a layer, or of a block, one behind the other."""
        for _ in range(20):
            member = self._member(sorted(n for n, layer in LAYERS.items() if layer.arity[0] == 1))
            found = self._fitting(member)
            if found is not None and len(found[0]) == 1 and found[2] == found[0][0]:
                types, texts, result = found
                count = self.rng.randint(1, 3)
                value = self.body.value(types[0])
                self.body.add(result, Form(f"{{0}} -> repeat({count}, {member}{arguments(texts)})", (value,)))
                return

    # ------------------------------------------------------------------------------------------------ blocks

    def _block(self) -> None:
        """A use of a block, of a new one or of one that is there."""
        if self.body.is_block and not self.blocks:
            return self._joined()
        if not self.body.is_block and (not self.blocks or self.rng.random() < 0.6):
            self.blocks.append(self._new_block())
        block = self.rng.choice(self.blocks)
        values = tuple(self.body.value(type) for type in block.takes)
        call = self.rng.choice(block.calls)
        inner = call.partition("(")[2].removesuffix(")")
        name = block.name
        if len(values) == 1 and block.makes == block.takes[0] and self.rng.random() < 0.5:
            self.body.add(block.makes, Form(f"{{0}} -> repeat({self.rng.randint(1, 3)}, {call})", values))
        elif len(values) == 1 and self.rng.random() < 0.6:
            self.body.add(block.makes, Form(f"{{0}} -> {call}", values))
        else:
            places = [f"{{{i}}}" for i in range(len(values))] + ([inner] if inner else [])
            self.body.add(block.makes, Form(f"{name}({', '.join(places)})", values, tight=True))

    def _new_block(self) -> Block:
        """Grow a block of one or two inputs, whose sizes may have names."""
        outer, name = self.body, f"Block{len(self.blocks) + 1}"
        self.body = body = Body(self.rng, outer.sizes, self.own, is_block=True)
        takes = [real(*(self.rng.choice(body.sizes) for _ in range(self.rng.choice([1, 1, 2]))))]
        takes += [self.rng.choice([takes[0], real(self.rng.choice(body.sizes))])] * self.rng.choice([0, 0, 1])
        named = len(takes[0].example) == 1 and self.rng.random() < 0.5
        for place, type in enumerate(takes):
            body.declare(type, "[n]" if named and not place else "")
        for _ in range(self.rng.randint(1, 3)):
            self.step()
        act = self.rng.choice(ACTIVATIONS) if self.rng.random() < 0.4 else ""
        makes = takes[0]
        ends = [v if body.types[v] == makes else body.brought_to(v, makes, "n" if named else "") for v in body.unread()]
        end = ends[0]
        for other in ends[1:]:
            end = body.add(makes, Form(f"{{0}} {self.rng.choice('+-*')} {{1}}", (end, other), wants_tight=True))
        if act:
            width = "n" if named else makes.example[-1]
            end = body.add(makes, Form(f"{{0}} -> dense({width}, act)", (end,)))
        head = f"block {name}(act = {act}) {{" if act else f"block {name} {{"
        body.read(end)
        last = f"output {end}" if self.rng.random() < 0.5 else f"output made = {end}"
        calls = [name, f"{name}(act = {self.rng.choice(ACTIVATIONS)})"] if act else [name, f"{name}()"]
        self.body = outer
        return Block(name, takes, makes, calls, [head, *(f"  {line}" for line in [*body.lines(), last]), "}"])

    def blocks_text(self, lines: list[str]) -> str:
        """The blocks that these lines use, and those that only such blocks use."""
        text = "\n".join(lines)
        for block in reversed(self.blocks):
            if re.search(rf"\b{block.name}\b", text):
                text = "\n".join([*block.lines, text])
        return text.removesuffix("\n".join(lines))

    # ------------------------------------------------------------------------------------------------ the end

    def finish(self) -> None:
        """Let all that nothing reads be real numbers."""
        for name in self.model.unread():
            self._end(name)

    def _end(self, name: str) -> None:
        """Make real numbers of a value that nothing reads, or take it out."""
        type = self.model.types[name]
        if type.dtype == "bool" and len(type.example) == 1:
            sequence = self.model.value(real(*type.example, self.rng.choice(self.model.sizes)))
            self.model.add(real(2), Form("rnn({0}, {1}, 2)", (sequence, name), tight=True))
        elif type.dtype == "bool":
            self.model.drop(name)
        elif type.dtype == "int":
            self.model.add(TensorType((*type.shape, 2)), Form("{0} -> one_hot(2)", (name,)))
