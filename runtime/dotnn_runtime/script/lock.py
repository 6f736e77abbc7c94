"""One training at a time in a folder."""

import contextlib
import os
import pathlib
import sys
import typing

from dotnn_runtime.script.errors import DataError, reason_of


@contextlib.contextmanager
def locked(folder: str | pathlib.Path | None) -> typing.Iterator[None]:
    """Keep other processes from training in a folder, which is made where it is missing; None locks nothing.

    The lock is the system's: it ends with the process, however that ends. Raises
    DataError where another process holds it, and where no folder can be made.
    """
    if folder is None:
        yield
        return
    try:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        # Windows locks no folders.
        what = os.path.join(folder, ".lock") if sys.platform == "win32" else folder
        descriptor = os.open(what, os.O_RDWR | os.O_CREAT if sys.platform == "win32" else os.O_RDONLY)
    except (OSError, ValueError) as error:
        raise DataError(
            f"no folder can be made: {reason_of(error)}", folder, help="name another one"
        ) from None
    try:
        if not take_lock(descriptor):
            message = "another process is training in this folder"
            raise DataError(message, folder, help="wait until it has ended, or name another folder")
        yield
    finally:
        os.close(descriptor)


def take_lock(descriptor: int) -> bool:
    """Return whether this process has the lock of an open file or folder now.

    Where there are no locks it has.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        return True
    except OSError as error:
        # Some network drives know no locks: better to train without than not at all.
        return not isinstance(error, BlockingIOError | PermissionError)
    return True
