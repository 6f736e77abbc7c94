"""Filling in the templates: those of a target's folder, which may include those that all scripts share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from dotnn.codegen import paste

IMPORTS = "import IMPORTS"
"""Stands in a template where the imports go, which are known once the rest is written."""

SHARED = Path(__file__).parent / "templates"


@cache
def _environment(folder: Path) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, SHARED]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the output is Python, and every name in it is an identifier
    )


def render(folder: Path, name: str, context: Mapping[str, Any]) -> str:
    """Fill in a template of a target."""
    return _environment(folder).get_template(f"{name}.py.j2").render(context)


def assembled(
    folder: Path, context: Mapping[str, Any], pasted: Sequence[str], modules: Set[str], packages: paste.Packages
) -> str:
    """Return a script: the template of a target, the imports, and at the end the functions that it calls.

    `pasted` are functions that stand in it already, `modules` the standard modules that it uses itself.
    """
    body = render(folder, "script", context)
    library = [name for name in paste.needed(paste.called_in(body, packages), packages) if name not in pasted]
    tail = render(folder, "library", {"library": paste.sources(library, packages)})
    imported = sorted(modules | paste.standard_modules([*pasted, *library], packages))
    return body.replace(IMPORTS, "\n".join(f"import {module}" for module in imported)) + tail
