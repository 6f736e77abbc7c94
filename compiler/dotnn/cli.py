"""The command line: collects the commands, and turns what goes wrong in one into text and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from functools import wraps

import click

from dotnn import __version__
from dotnn.commands import COMMANDS
from dotnn.commands.options import FileName
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.reports.console import show_errors, show_fault, show_json
from dotnn.targets import TARGETS

CLOSED_PIPE = 141
"""The exit code of a program whose reader has gone, as shells count it: 128 + SIGPIPE."""


def command_line(commands: dict[str, click.Command] = COMMANDS) -> click.Group:
    """Return `dotnn` with these commands."""
    group = click.Group(
        "dotnn",
        help=f"Compile .nn specs to readable {_targets()}, check the gradients, train.",
        commands={name: _reporting(command) for name, command in commands.items()},
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    return click.version_option(__version__, prog_name="dotnn")(group)


def _targets() -> str:
    return " or ".join(target.title for target in TARGETS.values())


def _reporting(command: click.Command) -> click.Command:
    """Return a command that ends with an exit code, whatever goes wrong in it."""
    reporting = copy(command)
    assert command.callback is not None
    reporting.callback = _reports(command.callback)
    return reporting


def _reports(work: Callable[..., int | None]) -> Callable[..., None]:
    """Turn a `CompileError` into its text on stderr, with --json into one object on stdout, too, and exit code 1."""

    @wraps(work)
    def run(*args: object, **kwargs: object) -> None:
        try:
            _check_names(click.get_current_context())
            code = work(*args, **kwargs) or 0
        except CompileError as error:
            code = _refuse(error, as_json=bool(kwargs.get("as_json")))
        except BrokenPipeError:
            code = CLOSED_PIPE
        except click.ClickException:
            raise
        except OSError as error:
            code = _refuse(_of_the_system(error), as_json=bool(kwargs.get("as_json")))
        except Exception as fault:  # a bug of ours must not look like a mistake of the user's
            if os.environ.get("DOTNN_TRACEBACK"):
                raise
            show_fault(fault)
            code = 1
        sys.exit(_flushed(code))

    return run


def _refuse(error: CompileError, *, as_json: bool) -> int:
    show_errors(error)
    if as_json:
        show_json({"errors": error.to_json()})
    return 1


def _of_the_system(error: OSError) -> CompileError:
    place = f"{error.filename}: " if error.filename else ""
    help = "check the name, the disk and the permissions"
    return CompileError([Diagnostic("NN001", f"{place}{error.strerror or error}", help=help)])


def _flushed(code: int) -> int:
    """Return the exit code of a command, once what it printed is written; a reader that has gone is no failure."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or CLOSED_PIPE
    if code == CLOSED_PIPE:
        with suppress(OSError, ValueError):  # else Python tries to write the rest when it exits, and complains
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _check_names(context: click.Context) -> None:
    """Raise `CompileError` for a file name on the command line that the system refuses: too long, or with a NUL."""
    for param in context.command.params:
        given = context.params.get(param.name or "") if isinstance(param.type, FileName) else None
        for name in given if isinstance(given, tuple) else [given] if given else []:
            try:
                os.lstat(name)
            except (OSError, ValueError) as error:
                if isinstance(error, ValueError) or error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
                    raise CompileError([_refused(name, error)]) from None


def _refused(name: str, error: OSError | ValueError) -> Diagnostic:
    shown = repr(name if len(name) < 80 else f"{name[:60]}…")
    reason = getattr(error, "strerror", "") or error
    return Diagnostic("NN001", f"{shown} cannot be the name of a file: {reason}", help="choose another name")


main = command_line()
