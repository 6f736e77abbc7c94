"""Where the files are that a spec names: beside it, or in a folder there. A spec is untrusted text."""

from __future__ import annotations

from pathlib import Path

from dotnn.core.diagnostics import CompileError, Diagnostic, Source, Span
from dotnn.model.messages.base import Fail
from dotnn.model.model import Model

FILE_HELP = "name a file beside the spec, such as data.csv"
OUTSIDE_HELP = "put the file beside the spec"


def path_beside(model: Model, name: str, span: Span) -> Path:
    """Return the path of a file that the spec names, be there one or not.

    Raises `CompileError` for a name that the system refuses, and where it leads out of the spec's folder.
    """
    folder = folder_of(model.source)
    help = OUTSIDE_HELP
    if model.data and model.data.source and name in model.data.source.paths:
        help += "; dotnn train also takes its path on the command line, with --data"
    try:
        return path_within(folder, folder, name, span, FILE_HELP, help)
    except Fail as failure:
        raise stop(model, failure.diagnostic) from None


def folder_of(source: Source) -> Path:
    """Return the folder of a spec."""
    return Path(source.path).resolve().parent


def path_within(folder: Path, start: Path, name: str, span: Span, help: str, help_outside: str) -> Path:
    """Return the path of a file by its name, seen from `start`, be there one or not; it lies in `folder`, or below.

    Raises `Fail` for a name that the system refuses, and where it, or a link, leads elsewhere.
    """
    if not name:
        raise Fail(Diagnostic("NN401", "the name of the file is empty", span, help=help))
    try:
        path = (start / name).resolve()
        path.exists()
    except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, a circle of links
        shown = name if len(name) < 80 else f"{name[:60]}…"
        raise Fail(Diagnostic("NN401", f'"{shown}" cannot be the name of a file', span, help=help)) from None
    if not path.is_relative_to(folder):
        raise Fail(Diagnostic("NN402", f'"{name}" is outside the folder of the spec', span, help=help_outside))
    return path


def stop(model: Model, *diagnostics: Diagnostic) -> CompileError:
    """Return the error of a spec with these diagnostics."""
    return CompileError(diagnostics, model.source)
