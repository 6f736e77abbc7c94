"""Filling in the templates: those of a target's folder, which may include those that all scripts share.

A line of a template with something to be filled in is a statement, or prose: what it says in the end is handed to the
printer. A line that is nothing else, `{{ line }}`, has been printed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.bccache import Bucket
from jinja2.ext import Extension

from dotnn.codegen import paste
from dotnn.codegen.printer import filled_in
from dotnn.codegen.wrap import filled, wrapped
from dotnn.core import kept

IMPORTS = "import IMPORTS"
"""Stands in a template where the imports go, which are known once the rest is written."""

HELPERS = "import HELPERS"
"""Stands in a template where the helpers go that are imported."""

SHARED = Path(__file__).parent / "templates"


@cache
def _own_text() -> int:
    """Return a digest of this file, which says what a template is before it is compiled."""
    return zlib.crc32(Path(__file__).read_bytes())


class _Kept(jinja2.BytecodeCache):
    """Templates take 20 times as long to compile as to read."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take up what was kept of this template."""
        code = kept.read(Path(__file__), bucket.key, f"{bucket.checksum}{_own_text()}")
        if code is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the template."""
        kept.write(Path(__file__), bucket.key, f"{bucket.checksum}{_own_text()}", bucket.bytecode_to_string())


class _Statements(Extension):
    """Hands to the printer what a line of a template says once it is filled in."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return a template in which every such line is the operand of a filter."""
        return "\n".join(map(_handed_on, source.split("\n")))


ALONE = re.compile(r"\{\{(?:(?!\}\}).)*\}\}")


def _handed_on(line: str) -> str:
    code = line.lstrip(" ")
    filled = "{{" in code and code.count("{{") == code.count("}}")
    if not filled or code.startswith("{%") or ALONE.fullmatch(code):
        return line
    keeps = "" if code.endswith("%}") else "+"  # the end of the line, which goes behind a tag
    return f"{{% filter filled_in({len(line) - len(code)}) %}}{code}{{% endfilter {keeps}%}}"


@cache
def _environment(folder: Path) -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, SHARED]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=_Kept(),
        extensions=[_Statements],
        autoescape=False,  # the output is Python, and every name in it is an identifier
    )
    made.filters["entry"] = lambda code, indent: "\n".join(filled([code.removesuffix(",")], indent))
    made.filters["filled_in"] = filled_in
    made.filters["on_the_page"] = lambda code, indent: "\n".join(wrapped(code, indent))
    return made


def render(folder: Path, name: str, context: Mapping[str, Any]) -> str:
    """Fill in a template of a target."""
    return _environment(folder).get_template(f"{name}.py.j2").render(context)


@dataclass(frozen=True)
class Parts:
    """What a script is put together from: the `folder` of a target's templates, the `packages` of its helpers.

    `pasted` are helpers that stand in it already, `modules` the standard modules that it uses itself; with `alone` it
    holds the other helpers, too, else it imports them. `template` is that of the whole script.
    """

    folder: Path
    packages: paste.Packages
    pasted: Sequence[str]
    modules: Set[str]
    alone: bool = True
    template: str = "script"


def assembled(parts: Parts, context: Mapping[str, Any]) -> str:
    """Return a script: the template of a target, the imports, and at the end the helpers that it calls."""
    body, packages = render(parts.folder, parts.template, {**context, "alone": parts.alone}), parts.packages
    called = (paste.called_in(body, packages) | {"DataError"}) - set(parts.pasted)
    library = [name for name in paste.needed(called, packages) if name not in parts.pasted] if parts.alone else []
    tail = render(parts.folder, "library", {"library": paste.sources(library, packages)})
    modules = sorted(parts.modules | paste.standard_modules([*parts.pasted, *library], packages))
    helpers = [] if parts.alone else ["", *paste.imports(called, packages)]
    body = body.replace(f"{HELPERS}\n", "".join(f"{line}\n" for line in helpers), 1)
    return body.replace(IMPORTS, "\n".join(f"import {module}" for module in modules), 1) + tail
