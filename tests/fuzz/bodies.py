"""The statements of a model or block as they grow: values by name and type, and how they are written.

Whether a value gets a statement of its own, or stands where it is read, is decided last (`Body.lines`): the same
network is written in one statement or in several.
"""

import math
import random
import re
from dataclasses import dataclass, field

from fuzz.arguments import Drawing, arguments
from fuzz.definitions import Own

from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.layers import LAYERS
from dotnn.library.layers.base import ShapeError
from dotnn.library.layers.loop import ROLES

LARGEST = 48
"""The most numbers in one example of one value."""
HEAVIEST = 1500
"""The most parameters of one use of a layer."""
INFIX = {"sum": "+", "subtract": "-", "multiply": "*"}


def real(*shape: int) -> TensorType:
    """The type of a value of real numbers."""
    return TensorType((BATCH, *shape))


Fitting = tuple[list[TensorType], list[str], TensorType]
"""The types of operands, the arguments as they are written, and the type of the result."""


@dataclass(frozen=True)
class Form:
    """How a value is written: a template of its operands, and whether it binds as tightly as a name."""

    template: str
    operands: tuple[str, ...]
    tight: bool = False
    wants_tight: bool = False

    def mentions(self) -> list[tuple[str, int]]:
        """Each operand, and how often it is written."""
        return [(name, self.template.count(f"{{{i}}}")) for i, name in enumerate(self.operands)]


@dataclass
class Body:
    """The inside of a model, or of a block."""

    rng: random.Random
    sizes: list[int]
    own: Own | None = None
    is_block: bool = False
    prefix: str = ""
    declared: list[str] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    counter: int = 0

    # ------------------------------------------------------------------------------------------------ what is there

    def fresh(self, letter: str) -> str:
        """A name that is new in this body."""
        self.counter += 1
        return f"{self.prefix}{letter}{self.counter}"

    def declare(self, type: TensorType, dims: str = "") -> str:
        """Add an input, whose shape may be written otherwise than in numbers."""
        name = self.fresh("x")
        kind = "" if type.dtype == "real" else "int"
        self.declared.append(f"input {name}: {kind}{dims or list(type.example)}")
        self.types[name] = type
        return name

    def add(self, type: TensorType, form: Form) -> str:
        """Add a value."""
        name = self.fresh("v")
        self.types[name], self.forms[name] = type, form
        for operand, count in form.mentions():
            self.reads[operand] = self.reads.get(operand, 0) + count
        return name

    def read(self, name: str) -> str:
        """Mark a value as read by a line of its own: it keeps its statement."""
        self.reads[name] = self.reads.get(name, 0) + 2
        return name

    def unread(self) -> list[str]:
        """The values that nothing reads yet."""
        return [name for name in self.types if not self.reads.get(name)]

    def drop(self, name: str) -> None:
        """Take a value out that nothing reads, and then those that only it has read."""
        form = self.forms.pop(name, None)
        del self.types[name]
        if form is None:
            self.declared = [line for line in self.declared if not line.startswith(f"input {name}:")]
            return
        for operand, count in form.mentions():
            self.reads[operand] -= count
            if not self.reads[operand]:
                self.drop(operand)

    # -------------------------------------------------------------------------------------------- values of a type

    def some_type(self) -> TensorType:
        """A random type: that of a value which is there, or another one."""
        if self.types and self.rng.random() < 0.5:
            return self.rng.choice(list(self.types.values()))
        rank = self.rng.choice([1, 1, 1, 2, 2, 3])
        dtype = "real" if self.is_block else self.rng.choice(["real"] * 6 + ["int"] * 3 + ["bool"])
        return TensorType((BATCH, *(self.size() for _ in range(rank))), dtype)

    def size(self) -> int:
        """A random length of an axis, mostly one that others have."""
        return self.rng.choice(self.sizes) if self.rng.random() < 0.8 else self.rng.randint(1, 6)

    def types_for(self, count: int) -> list[TensorType]:
        """Types of this many operands, often equal ones."""
        found = [self.some_type()]
        while len(found) < count:
            found.append(self.rng.choice(found) if self.rng.random() < 0.6 else self.some_type())
        return found

    def value(self, type: TensorType) -> str:
        """The name of a value of this type: one that is there, or a new one."""
        fitting = [name for name, found in self.types.items() if found == type]
        unread = [name for name in fitting if not self.reads.get(name)]
        if fitting and self.rng.random() < 0.8:
            return self.rng.choice(unread if unread and self.rng.random() < 0.6 else fitting)
        if type.dtype == "bool":
            tokens = self.value(TensorType(type.shape, "int"))
            return self.add(type, Form("{0} -> padding_mask", (tokens,)))
        sources = [name for name, found in self.types.items() if found.dtype == "real" and found.example]
        if type.dtype == "int" or not type.example or not sources or (not self.is_block and self.rng.random() < 0.25):
            return self.declare(type)
        return self.brought_to(self.rng.choice(sources), type)

    def brought_to(self, name: str, type: TensorType, width: str = "") -> str:
        """A value made of another one by a dense layer, with the shape that is wanted."""
        stages = ["flatten"] if len(self.types[name].example) != 1 else []
        act = self.rng.choice(["", "", ", tanh", ", relu", ", sigmoid"])
        stages.append(f"dense({width or math.prod(type.example)}{act})")
        stages += [f"reshape({list(type.example)})"] if len(type.example) != 1 else []
        for stage in stages[:-1]:
            name = self.add(real(self._size_after(name, stage, type)), Form(f"{{0}} -> {stage}", (name,)))
        return self.add(type, Form(f"{{0}} -> {stages[-1]}", (name,)))

    def _size_after(self, name: str, stage: str, type: TensorType) -> int:
        return math.prod((self.types[name] if stage == "flatten" else type).example)

    # ------------------------------------------------------------------------------------------------ members

    def fitting(self, member: str, *, moods: bool, tries: int = 4000) -> Fitting | None:
        """Types of operands and arguments that a layer takes, found by asking it; and what it makes of them.

        Without `moods`, nothing is dropped in training.
        """
        layer = LAYERS[member]
        for tried in range(tries):
            least, most = layer.arity
            types = self.types_for(self.rng.randint(least, most or least + self.rng.choice([0, 0, 1, 2])))
            if tried > tries // 10 and tried % 2 and len(types) == 1:  # so far nothing fits: it may go over volumes
                types = [real(*(self.rng.choice(self.sizes) for _ in range(4)))]
            if self.is_block and any(t.dtype != "real" or not t.example for t in types):
                continue
            texts, attrs = Drawing(self.rng, own=self.own).arguments(layer.args, named=most is None)
            if layer.optional:
                attrs[ROLES] = [*layer.inputs, *layer.optional][: len(types)]
            if not moods and any(attrs[name] for name in attrs if "dropout" in name):
                continue
            if layer.optional:
                attrs[ROLES] = (*layer.inputs, *layer.optional)[: len(types)]
            try:
                result = layer.infer(types, attrs)
                weight = sum(math.prod(p.shape) for p in layer.params(types, attrs))
            except ShapeError:
                continue
            if math.prod(result.example) <= LARGEST and weight <= HEAVIEST:
                return types, texts, result
        return None

    def write(self, member: str, operands: list[str], texts: list[str]) -> Form:
        """A use of a layer, in one of the ways in which it can be written."""
        names = tuple(operands)
        places = [f"{{{i}}}" for i in range(len(names))]
        if member in INFIX and self.rng.random() < 0.8:
            return Form(f" {INFIX[member]} ".join(places), names, wants_tight=True)
        if member == "scale" and self.rng.random() < 0.4 and not texts[0].startswith(("-", "factor")):
            return Form(f"{texts[0]} * {{0}}", names, wants_tight=True)
        if len(names) == 1 and self.rng.random() < 0.7:
            return Form(f"{{0}} -> {member}{arguments(texts)}", names)
        if self.rng.random() < 0.3 and LAYERS[member].family == "layer":
            return Form(f"{{0}} -> {member}{arguments([*places[1:], *texts])}", names)
        return Form(f"{member}({', '.join([*places, *texts])})", names, tight=True)

    # ------------------------------------------------------------------------------------------------ text

    def lines(self) -> list[str]:
        """The statements; a value that only one other reads may stand where it is read."""
        texts: dict[str, tuple[str, bool]] = {}
        used = {word for form in self.forms.values() for word in re.findall(r"[A-Za-z]\w*", form.template)}
        lines = [line for line in self.declared if line.startswith("input") or line.split()[1].rstrip(":") in used]
        for name, form in self.forms.items():
            parts = [texts.get(operand, (operand, True)) for operand in form.operands]
            shown = [f"({text})" if form.wants_tight and not tight else text for text, tight in parts]
            text = form.template.format(*shown)
            if self.reads.get(name) == 1 and self.rng.random() < 0.5:
                texts[name] = (text, form.tight)
            else:
                lines.append(f"{name} = {text}")
        return lines
