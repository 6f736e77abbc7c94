"""Limits and error codes, read from where they are defined."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from itertools import pairwise

from dotnn.commands.manual.markdown import code, table
from dotnn.core import limits
from dotnn.model import messages
from dotnn.syntax.errors import SYNTAX_ERRORS, TEXT_ERRORS


def _limits() -> str:
    body = ast.parse(inspect.getsource(limits)).body
    rows = []
    for assign, doc in pairwise(body):
        if isinstance(assign, ast.Assign) and isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant):
            name = ast.unparse(assign.targets[0])
            rows.append((str(doc.value.value).rstrip("."), f"{getattr(limits, name):,}"))
    return table(("limit", "at most"), rows)


def _errors() -> str:
    found = {number: (text, "") for number, (text, _) in TEXT_ERRORS.items()}
    found |= {case.code: (case.message, code(case.bad[0].replace("\n", " "))) for case in reversed(SYNTAX_ERRORS)}
    rows = [(number, _plain(text), bad) for number, (text, bad) in sorted(found.items())]
    rows += [(number, text, "") for number, text in sorted(_model_errors().items())]
    return table(("code", "says", "for instance for"), rows)


def _model_errors() -> dict[str, str]:
    """Return the codes of the model stage with what they say, read from the source of its wording."""
    found: dict[str, str] = {}
    modules = filter(inspect.ismodule, vars(messages).values())
    for function in ast.parse("".join(map(inspect.getsource, modules))).body:
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "Diagnostic":
                assert isinstance(function, ast.FunctionDef)
                text = _literal(call.args[1]) or function.name.replace("_", " ")
                found.setdefault(_literal(call.args[0]), text)
    return found


def _literal(text: ast.expr) -> str:
    """Return the text of a literal, `…` where something is filled in; "" where it is none."""
    if isinstance(text, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in text.values)
    return str(text.value) if isinstance(text, ast.Constant) else ""


def _plain(message: str) -> str:
    return re.sub(r"\{\w+\}", "…", message).replace("{{", "{").replace("}}", "}")


RULES: dict[str, Callable[[], str]] = {"limits": _limits, "errors": _errors}
"""What makes the tables of limits and errors."""
