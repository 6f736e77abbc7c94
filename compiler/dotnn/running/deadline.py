"""Work that may never end, such as running somebody's script, in a process of its own that can be ended."""

from __future__ import annotations

import faulthandler
import os
import pickle
import re
import select
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import IO, TypeVar, cast

from dotnn.core.diagnostics import CompileError, Diagnostic

T = TypeVar("T")
GRACE = 0.5
"""How long the process has to say where it is before it is ended, in seconds."""


class Ended(Exception):
    """The work was ended: the text says why, `help` what to do."""

    def __init__(self, text: str, help: str) -> None:
        super().__init__(text)
        self.help = help


def check_in_time(path: str, seconds: float, work: Callable[[], T]) -> T:
    """Return what a check of the file `path` returns. Raises `CompileError` where it takes more than `seconds`."""
    try:
        return within(seconds, work, path)
    except Ended as error:
        raise CompileError([Diagnostic("NN407", f"cannot check {path}: {error}", help=error.help)]) from None


def within(seconds: float, work: Callable[[], T], file: str = "") -> T:
    """Return what `work` returns, or raise what it raises; `file` is the one whose line is wanted if it is ended.

    The work runs in a child process, so what it changes here is lost, and its result must be picklable. Neither an
    endless loop nor one inside NumPy survives the deadline. Where there is no `fork` the work runs here, without one.

    Raises:
        Ended: it took longer than `seconds`, or its process died.
    """
    if not hasattr(os, "fork"):
        return work()
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as trace:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads: those of BLAS, which knows about forks
            child = os.fork()
        if child == 0:
            os.close(reading)
            _work(work, seconds, writing, trace)
        os.close(writing)
        try:
            answer = _read(reading, time.monotonic() + seconds + GRACE)
        finally:
            os.close(reading)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        if answer:
            good, value = pickle.loads(answer)
            if good:
                return cast(T, value)
            raise value
        trace.seek(0)
        raise _ended(seconds, trace.read().decode("utf-8", "replace"), file)


def _work(work: Callable[[], object], seconds: float, writing: int, trace: IO[bytes]) -> None:
    """Do the work in the child, send the pickled result, and end the process: nothing of the caller runs in it."""
    faulthandler.dump_traceback_later(seconds, file=trace)
    try:
        try:
            answer = pickle.dumps((True, work()))
        except BaseException as error:
            answer = _pickled(error)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(answer)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)


def _pickled(error: BaseException) -> bytes:
    try:
        answer = pickle.dumps((False, error))
        pickle.loads(answer)
    except Exception:
        answer = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return answer


def _read(pipe: int, end: float) -> bytes:
    """Return all that comes through a pipe until it is closed, nothing where that takes too long."""
    parts: list[bytes] = []
    while select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(pipe, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)
    return b""


def _ended(seconds: float, trace: str, file: str) -> Ended:
    if not trace:
        return Ended("its process died", "it ends the process that runs it, or takes more memory than there is")
    lines = re.findall(rf'File "{re.escape(file)}", line (\d+) in (\S+)', trace)
    where = f": it was in line {lines[0][0]}, {lines[0][1]}" if lines else ""
    help = "where that is no endless loop, give it more time with --timeout SECONDS"
    return Ended(f"it has not ended within {seconds:g} s{where}", help)
