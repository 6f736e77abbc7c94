"""Files that a user has asked for with -o: where they may go, whose file may be replaced, and how they are written."""

from __future__ import annotations

import sys
from collections.abc import Set
from pathlib import Path

from dotnn.codegen.heading import HEADER, is_unchanged
from dotnn.codegen.training import LITERAL_LIMIT
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.model.model import Model
from dotnn_runtime.script.atomic import write_output

MAY_BE_HIDDEN = {"test"}
"""A module of Python that no program imports."""


def check_output(path: Path, *, force: bool) -> None:
    """Raise `CompileError` where a file cannot be written: before the work is done, which would be lost.

    A file that is already there needs `force`; a pipe or a device does not.
    """
    _check_place(path)
    if path.is_file() and not force:
        raise _refused(f"{path} already exists", "name another file, or use --force")


def write_script(text: str, path: Path, *, spec: Path, imported: Set[str], force: bool = False) -> None:
    """Write a script. A file that dotnn did not write is only overwritten with `force`, the `spec` never.

    Raises `CompileError` for those, and for a script that would hide a module of Python, or one that is `imported` by
    scripts, from all Python programs in its folder.
    """
    if path.exists() and spec.exists() and path.samefile(spec):
        raise _refused(f"{path} is the spec itself", "name another file with -o")
    modules = sys.stdlib_module_names - MAY_BE_HIDDEN | imported
    if path.suffix == ".py" and path.stem in modules and not force:
        message = f"{path} would hide the module {path.stem} from all Python programs in its folder"
        raise _refused(message, "name another file with -o, or use --force")
    _check_place(path)
    if path.is_file() and not force and (problem := _whose(path)):
        raise _refused(f"{path} {problem}", "name another file, or use --force")
    write_text(text, path)


def lacking(model: Model, script: Path) -> str:
    """Return what to say of a script that is not beside its spec, and so not beside a file that it reads; else ""."""
    beside = Path(model.source.path).parent
    sources = [model.data.source, *model.data.files.values()] if model.data else []
    read = [file for source in sources if source for file in (source.paths if source.formats else [source.file])]
    begun = [p for p in model.params.values() if p.init.name == "file" and p.size > LITERAL_LIMIT]
    files = [*read, *(str(p.init.attrs["path"]) for p in begun)]
    absent = [file for file in files if not (script.parent / file).exists()]
    if not absent or script.parent.resolve() == beside.resolve():
        return ""
    ways = [f"write it beside the spec with -o {beside / script.name}"]
    if {*absent} <= {*read}:
        ways.append(f"name the data, as in train --data {beside if len(read) > 1 else beside / absent[0]}")
    return f"{script.name} reads {absent[0]} in its own folder, where there is none: {', or '.join(ways)}"


def write_text(text: str, path: Path) -> None:
    """Write a file with LF line ends, whole or not at all; a link stays one. Raises `CompileError`."""
    try:
        write_output(path, text.encode())
    except OSError as error:
        raise _cannot_write(path, error) from None


def _check_place(path: Path) -> None:
    """Raise `CompileError` for a folder, and for a file in a folder that is not there."""
    folder = path.parent
    if path.is_dir():
        raise _refused(f"cannot write {path}: it is a folder", f"name a file in it, {path / 'NAME'}")
    if folder.exists() and not folder.is_dir():
        raise _refused(f"cannot write {path}: {folder} is a file, not a folder", "name another folder")
    if not folder.exists():
        raise _refused(f"cannot write {path}: there is no folder {folder}", "make the folder first")


def _whose(path: Path) -> str:
    """Return why a file must not be overwritten, "" where it is as dotnn wrote it."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise _cannot_write(path, error) from None
    if HEADER not in "\n".join(text.split("\n", 2)[:2]):
        return "exists and was not written by dotnn"
    return "" if is_unchanged(text) else "was edited since dotnn wrote it"


def _cannot_write(path: Path, error: OSError) -> CompileError:
    return _refused(f"cannot write {path}: {error.strerror or error}", "check the folder, the disk and the permissions")


def _refused(message: str, help: str) -> CompileError:
    return CompileError([Diagnostic("NN503", message, help=help)])
