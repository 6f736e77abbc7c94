"""What can be read off a script without running it: its statements, names, aliases and places in the spec."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from .statements import (
    _flat,
    assigned_names,
    last_argument,
    loads,
    names_in,
    reads,
    stored_key,
    walk_statements,
    written_into,
)
from .types import Key

BANNER = re.compile(r"#\s*(?P<text>.*?)\s{2,}(?P<place>\S+\.nn:\d+)$")
DOC = re.compile(r'\s*"""(?P<text>.*?)\s{2,}(?P<place>\S+\.nn:\d+)(?:""")?$')
_AXES = r"np\.(?:moveaxis|swapaxes)\("
_TURNED = re.compile(rf"(?:{_AXES})?(?P<array>\w+)(?:\.T|\.(?:reshape|transpose|swapaxes)\(.*\)|, [-\d]+, [-\d]+\).*)$")
TIME = "step"
"""What a generated loop over time counts."""
FORWARD_FUNCTIONS = ("forward", "total_loss")
CONTRACT = ("init_params", "forward", "total_loss", "backward", "loss_and_grads", "data_loss", "penalty")
OWN = (
    *CONTRACT, "training_pass", "training_arrays", "make_step", "renew_state", "optimizer_state", "update",
    "make_update", "make_clip", "constrain", "learning_rate", "train", "fit", "make_forward", "make_evaluate",
    "evaluate", "predict", "prepare",
)  # fmt: skip
"""The functions that are written for a script; what else it has are helpers, the same in many scripts."""
MAKERS = ("make_step", "make_forward")
"""The functions of the fast style that make arrays, and return a function that writes into these."""


@dataclass(frozen=True)
class Place:
    """A line of the script, and the statement of the spec that it came from."""

    line: int = 0
    text: str = ""
    banner: str = ""
    spec_line: str = ""

    @property
    def layer(self) -> str:
        """The name on the left of the spec's statement."""
        name, equals, _ = self.banner.partition("=")
        return name.removeprefix("output ").strip() if equals else ""

    @property
    def op(self) -> str:
        """The expression on the right of the spec's statement."""
        return self.banner.partition("=")[2].strip() or self.banner


@dataclass(frozen=True)
class Statement:
    """One assignment: where it stands, what it defines and which tensors it reads."""

    function: str
    line: int
    targets: tuple[str, ...]
    reads: frozenset[str]
    is_load: bool = False


@dataclass
class Structure:
    """The static facts about a script."""

    source: str
    tree: ast.Module
    aliases: dict[str, Key] = field(default_factory=dict)
    in_place: dict[str, set[str]] = field(default_factory=dict)
    _views: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for function in self.functions.values():
            self.in_place[function.name] = set(written_into(function.body))
            for node in walk_statements(function.body):
                self.aliases |= {name: key for name, key in loads(node) if key.kind not in ("cache", "grad")}

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """The functions of the module, by name."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    @cached_property
    def step(self) -> ast.FunctionDef | None:
        """The training step of the fast style, a function inside `make_step`; it runs forward and backward."""
        return self.returned_by("make_step")

    def returned_by(self, maker: str) -> ast.FunctionDef | None:
        """Return the function that one of `MAKERS` defines, None where the script has no such maker."""
        found = self.functions.get(maker)
        return next((node for node in found.body if isinstance(node, ast.FunctionDef)), None) if found else None

    @cached_property
    def makers(self) -> dict[str, str]:
        """The functions of the fast style that write into arrays made before, by name, and who makes these."""
        return {inner.name: maker for maker in MAKERS if (inner := self.returned_by(maker)) is not None}

    @property
    def views(self) -> dict[str, str]:
        """The arrays of a fast step that are others in another shape, or views of those: `d_h_rows = d_h.T`."""
        return self.views_in(self.step.name) if self.step is not None else {}

    def views_in(self, function: str) -> dict[str, str]:
        """Return the same for one of the functions that write into arrays."""
        if function not in self._views:
            found: dict[str, str] = {}
            for node in self._made_by(self.makers.get(function, "")):
                turned = _TURNED.match(ast.unparse(node.value))
                if turned is not None:
                    found |= dict.fromkeys(assigned_names(node), found.get(turned["array"], turned["array"]))
            self._views[function] = found
        return self._views[function]

    @cached_property
    def filled_by(self) -> dict[str, set[str]]:
        """The cotangents of the fast style whose pieces a list holds, which a loop runs through to fill them."""
        found: dict[str, set[str]] = {}
        for node in self._made_by("make_step"):
            pieces = {self.views.get(name, name) for name in names_in(node.value) if name.startswith("d_")}
            found |= dict.fromkeys(assigned_names(node), pieces)
        return found

    def _made_by(self, maker: str) -> list[ast.Assign]:
        """Return the statements of one of `MAKERS` that make arrays."""
        found = self.functions.get(maker)
        return [node for node in (found.body if found else ()) if isinstance(node, ast.Assign)]

    @cached_property
    def result_arrays(self) -> dict[str, list[str]]:
        """The arrays that the fast style returns as gradients: `d_h_Wb = stacked(grads["h.W"], grads["h.b"])`."""
        found: dict[str, list[str]] = {}
        for node in self._made_by("make_step"):
            keys = [key.name for part in ast.walk(node.value) if (key := stored_key(part)) and key.kind == "grad"]
            found |= dict.fromkeys(assigned_names(node), keys) if keys else {}
        return found

    @cached_property
    def summands(self) -> set[str]:
        """The names that are added to something, or something to them: whatever else the sum holds is called."""
        nodes = list(ast.walk(self.tree))
        sums = [n for n in nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Add | ast.Sub)]
        grown = [n for n in nodes if isinstance(n, ast.AugAssign) and isinstance(n.op, ast.Add)]
        parts = [*(part for n in sums for part in (n.left, n.right)), *(n.value for n in grown)]
        return {part.id for part in parts if isinstance(part, ast.Name)}

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the source text."""
        return self.source.splitlines()

    @property
    def backward_function(self) -> str:
        """The function that assigns the cotangents: `backward`, or `loss_and_grads` where there is none."""
        return "backward" if "backward" in self.functions else "loss_and_grads"

    @cached_property
    def statements(self) -> list[Statement]:
        """All assignments of the forward pass and the loss, in the order of the text."""
        found = []
        for name in FORWARD_FUNCTIONS:
            if name in self.functions:
                found += [s for s in _statements(self.functions[name]) if s.targets]
        return found

    @cached_property
    def stepwise(self) -> dict[str, dict[str, int]]:
        """What the loops `for step in …` of each function assign by one statement alone, and the line of that."""
        return {name: _assigned_once_in_loops(function) for name, function in self.functions.items()}

    def place(self, line: int) -> Place:
        """Return a line of the script with the nearest banner above it: its own, or the docstring of its function."""
        if not 0 < line <= len(self.lines):
            return Place()
        text = self.lines[line - 1].partition("  # ")[0].strip()
        for above in range(line - 1, -1, -1):
            match = BANNER.search(self.lines[above]) or DOC.match(self.lines[above])
            if match:
                code = self.lines[above][: match.start()].strip()
                return Place(line, text, code or match["text"], match["place"])
            if self.lines[above].startswith(("def ", "class ")):
                break
        return Place(line, text)

    def defined_at(self, name: str) -> Place:
        """Return the place in the forward pass that defines or first reads `name`."""
        for statement in self.statements:
            if name in statement.targets and not statement.is_load:
                return self.place(statement.line)
        readers = self.readers(name)
        return self.place(readers[0].line) if readers else Place()

    def names_of(self, name: str) -> set[str]:
        """Return everything `name` is read as: itself, its key in `params` or `batch`, other aliases of that key."""
        key = self.aliases[name].name if name in self.aliases else name
        return {name, key} | {alias for alias, of in self.aliases.items() if of.name == key}

    def readers(self, name: str) -> list[Statement]:
        """Return the statements that compute something from `name`."""
        names = self.names_of(name)
        return [s for s in self.statements if s.reads & names and not s.is_load]

    def terms_in_backward(self, name: str) -> list[str]:
        """Return the names that the backward pass reads to assign `name`, each as often as it is read."""
        function = self.step or self.functions.get(self.backward_function)
        found = []
        for node in walk_statements(function.body) if function else ():
            if isinstance(node, ast.Assign) and name in assigned_names(node):
                return names_in(node.value)
            if isinstance(node, ast.Expr) and last_argument(node) == name:
                found += [read for read in names_in(node) if read != name]
        return found

    def assigned_in_backward(self, name: str) -> Place:
        """Return the place where the backward pass assigns `name`, or returns the gradient called `name`."""
        function = self.functions.get(self.backward_function)
        for statement in _statements(function) if function else ():
            if name in statement.targets:
                return self.place(statement.line)
        for node in ast.walk(function) if function else ():
            if isinstance(node, ast.Assign) and name in _entries(node):
                return self.place(node.lineno)
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == name:
                        return self.place(value.lineno)
        return Place()


def _entries(node: ast.Assign) -> Iterator[str]:
    """Yield the keys under which a statement stores gradients: `grads["h.W"] = …`."""
    for target in _flat(node.targets):
        if isinstance(target, ast.Subscript) and ast.unparse(target.value) == "grads":
            yield from [str(target.slice.value)] if isinstance(target.slice, ast.Constant) else []


def _assigned_once_in_loops(function: ast.FunctionDef) -> dict[str, int]:
    found: dict[str, list[int]] = {}
    for loop in walk_statements(function.body):
        if isinstance(loop, ast.For) and ast.unparse(loop.target) == TIME:
            for node in walk_statements(loop.body):
                for name in assigned_names(node):
                    found.setdefault(name, []).append(node.lineno)
    return {name: lines[0] for name, lines in found.items() if len(lines) == 1}


def _statements(function: ast.FunctionDef) -> Iterator[Statement]:
    for node in walk_statements(function.body):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Expr):
            written = [*assigned_names(node), *written_into([node])]
            targets = tuple(dict.fromkeys(written))
            yield Statement(function.name, node.lineno, targets, frozenset(reads(node)), bool(loads(node)))
        elif isinstance(node, ast.Return) and function.name == "total_loss":
            yield Statement(function.name, node.lineno, ("loss",), frozenset(reads(node)))


def parse_script(source: str, filename: str = "<script>") -> ast.Module:
    """Parse the text of a script, without the functions and classes that `CONTRACT` and `MAKERS` never reach.

    Training, files and the command line are most of a script; nothing that is checked depends on them.
    """
    tree = ast.parse(source, filename)
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    others = [node for node in tree.body if node not in defined.values() and not _is_main_guard(node)]
    start = itertools.chain(CONTRACT, MAKERS, *map(names_in, others))
    wanted = {*others, *(defined[name] for name in reached(start, defined))}
    tree.body = [node for node in tree.body if node in wanted]
    return tree


def reached(start: Iterable[str], defined: Mapping[str, ast.stmt]) -> list[str]:
    """Return, of the functions and classes of a script, these and those that they name, as they are met."""
    unread, found = list(start), list[str]()
    while unread:
        name = unread.pop(0)
        if name in defined and name not in found:
            found.append(name)
            unread += names_in(defined[name])
    return found


@lru_cache(maxsize=8)
def all_functions(source: str) -> dict[str, ast.FunctionDef]:
    """Return all functions of a script by name, those that `CONTRACT` never reaches, too."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def around(source: str, line: int) -> str:
    """Return the name of the function that a line stands in, "" where it stands in none."""
    return next((n for n, f in all_functions(source).items() if f.lineno <= line <= (f.end_lineno or 0)), "")


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in names_in(node.test)
