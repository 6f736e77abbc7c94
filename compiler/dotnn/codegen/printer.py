"""The one printer: a tree of Python as text, and a source map of its lines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from dotnn.codegen import tree
from dotnn.codegen.wrap import INDENT, WIDTH, filled, wrapped

COMMENT_COLUMN = 56
"""Where comments behind statements begin, if the statements leave room."""
RIGHT = 108
"""Where places of the spec end."""
BANNER = 104
QUOTES = '"' * 3


@dataclass(frozen=True)
class Mark:
    """A line of a script, the function that it stands in, where it comes from, and what it assigns to.

    A line that returns has no target: what it makes is `at` in what it returns.
    """

    line: int
    function: str
    origin: tree.Origin
    target: str = ""
    at: tuple[int | str, ...] = ()


@dataclass
class Printer:
    """Collects lines and marks."""

    lines: list[str] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    function: str = ""
    width: int = WIDTH

    def module(self, module: tree.Module) -> None:
        """Print a whole script."""
        self.lines += module.head.rstrip("\n").split("\n")
        before: tree.Item | None = None
        for item in module.items:
            self.lines += [] if isinstance(before, tree.Banner) else ["", ""]
            self._item(item)
            before = item

    def _item(self, item: tree.Item) -> None:
        match item:
            case tree.Banner(title):
                self.lines.append(f"# {'-' * (BANNER - len(title) - 3)} {title}")
            case tree.Prose(text):
                self.lines += text.rstrip("\n").split("\n")
            case tree.Function():
                self._function(item)

    def _function(self, item: tree.Function) -> None:
        self.function = item.name
        self.lines += _signature(item)
        self.lines += docstring(item.doc, item.place) if item.doc else []
        self.body(item.body, INDENT)
        self.function = ""

    def body(self, body: Iterable[tree.Stmt], indent: int) -> None:
        """Print statements."""
        before: tree.Stmt | None = None
        headed = False
        for stmt in body:
            begun = before is None or (isinstance(before, tree.Assign) and (before.value == "{}" or not headed))
            heads = isinstance(stmt, tree.Heading) or (isinstance(stmt, tree.Assign) and bool(stmt.place))
            if heads and not begun and self.lines[-1]:
                self.lines.append("")
            self._statement(stmt, indent)
            before, headed = stmt, headed or heads

    def _statement(self, stmt: tree.Stmt, indent: int) -> None:
        match stmt:
            case tree.Assign():
                code = f"{', '.join(stmt.targets)} {stmt.sign} {stmt.value}"
                self._code(code, stmt.comment, indent, stmt.origin, stmt.targets[0])
                if stmt.place:
                    self.lines[-1] = aligned("", self.lines[-1], stmt.place)
            case tree.Return(value, origin, at):
                self._code(f"return {value}", "", indent, origin, at=at)
            case tree.Do(code, origin):
                self._code(code, "", indent, origin)
            case tree.For(head, body, comment):
                self._code(f"{head}:", comment, indent, tree.NOWHERE)
                self.body(body, indent + INDENT)
            case tree.If():
                self._condition(stmt, indent)
            case tree.Try():
                self._attempt(stmt, indent)
            case tree.Heading(text, place) | tree.Note(text, place):
                self.lines.append(aligned(f"{' ' * indent}# ", text, place))
            case tree.Blank():
                self.lines.append("")

    def _condition(self, stmt: tree.If, indent: int, word: str = "if") -> None:
        self._code(f"{word} {stmt.test}:", "", indent, tree.NOWHERE)
        self.body(stmt.body, indent + INDENT)
        match stmt.otherwise:
            case (tree.If() as other,):
                self._condition(other, indent, "elif")
            case (_, *_):
                self.lines.append(f"{' ' * indent}else:")
                self.body(stmt.otherwise, indent + INDENT)

    def _attempt(self, stmt: tree.Try, indent: int) -> None:
        self.lines.append(f"{' ' * indent}try:")
        self.body(stmt.body, indent + INDENT)
        self.lines.append(f"{' ' * indent}except {stmt.caught}:")
        self.body(stmt.handled, indent + INDENT)

    def _code(
        self,
        code: str,
        comment: str,
        indent: int,
        origin: tree.Origin,
        target: str = "",
        *,
        at: tuple[int | str, ...] = (),
    ) -> None:
        if origin != tree.NOWHERE:
            self.marks.append(Mark(len(self.lines) + 1, self.function, origin, target, at))
        made = wrapped(code, indent, self.width)
        if comment and len(made) == 1:
            made = [with_comment(made[0], comment)]
        elif comment and len(f"{made[0]}  # {comment}") <= WIDTH and made[0][-1] in "([{":
            made[0] = f"{made[0]}  # {comment}"
        self.lines += made


def _signature(item: tree.Function) -> list[str]:
    line = f"def {item.name}({', '.join(item.arguments)}):"
    if len(line) <= WIDTH:
        return [line]
    *whole, last = filled(item.arguments, 2 * INDENT)
    return [f"def {item.name}(", *whole, last.removesuffix(","), "):"]


def docstring(doc: str, place: str = "", indent: int = INDENT) -> list[str]:
    """Return the lines of a docstring, its place at the right of the first line."""
    if "\\" in doc or '""' in doc or doc.endswith('"'):  # what a spec says in a text must not end it
        doc = doc.replace("\\", "\\\\").replace('"', '\\"')
    first, *rest = doc.split("\n") if place or "\n" in doc else textwrap.wrap(doc, WIDTH - indent - 6) or [""]
    line = aligned(f'{" " * indent}"""', first, place, '"""' if not rest else "")
    made = [line, *(f"{' ' * indent}{text}".rstrip() for text in rest)]
    return [*made[:-1], f'{made[-1]}"""'] if rest else made


def aligned(head: str, text: str, place: str, tail: str = "") -> str:
    """Return a line whose place stands at the right; a text that leaves no room for it is cut."""
    room = WIDTH - len(head) - len(tail) - (len(place) + 2 if place else 0)
    if len(text) > room:
        text = text[: room - 2].rstrip() + " …"
    if not place:
        return f"{head}{text}{tail}"
    width = max(RIGHT - len(head) - len(place) - len(tail), len(text) + 2)
    return f"{head}{text:<{width}}{place}{tail}"


def with_comment(code: str, comment: str) -> str:
    """Return a line with a comment in the common column; what does not fit is left out, from its end."""
    parts = comment.split("   ")
    while parts:
        line = f"{code:<{COMMENT_COLUMN - 2}}  # {'   '.join(parts)}"
        if len(line) <= WIDTH:
            return line
        parts.pop()
    return code


def filled_in(code: str, indent: int) -> str:
    """Return a line of a template, a statement or the beginning of a docstring, as text that fits on the page."""
    if "\n" in code or len(code) + indent <= WIDTH:
        return f"{' ' * indent}{code}"
    if not code.startswith(QUOTES):
        return "\n".join(wrapped(code, indent))
    said = textwrap.wrap(code.removesuffix(QUOTES), WIDTH - indent)
    said += [QUOTES] if code.endswith(QUOTES) else []
    return textwrap.indent("\n".join(said), " " * indent)


def print_module(module: tree.Module) -> tuple[str, tuple[Mark, ...]]:
    """Return a script as text, and its source map."""
    printer = Printer()
    printer.module(module)
    return "\n".join(line.rstrip() for line in printer.lines) + "\n", tuple(printer.marks)


def print_function(function: tree.Function) -> str:
    """Return a function as text."""
    printer = Printer()
    printer.module(tree.Module("", (function,)))
    return "\n".join(printer.lines).strip("\n")


def printed(body: Iterable[tree.Stmt], depth: int = 0) -> list[str]:
    """Return statements as lines that are going to be indented by `depth` columns."""
    printer = Printer(width=WIDTH - depth)
    printer.body(body, 0)
    return printer.lines


def print_body(body: Iterable[tree.Stmt]) -> list[str]:
    """Return statements as the lines of a function, without the comments: what two functions are compared by."""
    printer = Printer()
    printer.body((_bare(stmt) for stmt in body if not isinstance(stmt, tree.Heading | tree.Note | tree.Blank)), INDENT)
    return printer.lines


def _bare(stmt: tree.Stmt) -> tree.Stmt:
    if isinstance(stmt, tree.For):
        inner = tuple(_bare(s) for s in stmt.body if not isinstance(s, tree.Heading | tree.Note | tree.Blank))
        return replace(stmt, body=inner, comment="")
    return replace(stmt, comment="", place="") if isinstance(stmt, tree.Assign) else stmt
