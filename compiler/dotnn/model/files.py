"""Where the files are that a spec names: beside it, or in a folder there. A spec is untrusted text."""

from __future__ import annotations

from pathlib import Path

from dotnn.core.diagnostics import CompileError, Diagnostic, Span
from dotnn.model.model import Model

FILE_HELP = "name a file beside the spec, such as data.csv"


def path_beside(model: Model, name: str, span: Span) -> Path:
    """Return the path of a file that the spec names, be there one or not.

    Raises `CompileError` for a name that the system refuses, and where it leads out of the spec's folder.
    """
    folder = Path(model.source.path).resolve().parent
    if not name:
        raise stop(model, Diagnostic("NN401", "the name of the file is empty", span, help=FILE_HELP))
    try:
        path = (folder / name).resolve()
        path.exists()
    except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, a circle of links
        shown = name if len(name) < 80 else f"{name[:60]}…"
        raise stop(
            model, Diagnostic("NN401", f'"{shown}" cannot be the name of a file', span, help=FILE_HELP)
        ) from None
    if not path.is_relative_to(folder):
        help = "put the file beside the spec"
        if model.data and model.data.source and model.data.source.path == name:
            help += "; dotnn train also takes its path on the command line, with --data"
        raise stop(model, Diagnostic("NN402", f'"{name}" is outside the folder of the spec', span, help=help))
    return path


def stop(model: Model, *diagnostics: Diagnostic) -> CompileError:
    """Return the error of a spec with these diagnostics."""
    return CompileError(diagnostics, model.source)
