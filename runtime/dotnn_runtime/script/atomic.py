"""Writing a file as a whole or not at all."""

import contextlib
import os
import pathlib
import stat


def write_atomically(path: str | pathlib.Path, content: bytes, mode: int | None = None) -> None:
    """Write a file through a temporary one beside it, so that a crash leaves the old file or the new one.

    It gets the permissions `mode`, where they are given. A
    process that is killed meanwhile leaves `NAME.PID.tmp`.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f"{name[:60]}.{os.getpid()}.tmp")  # no longer than the system allows
    try:
        with open(temporary, "wb") as file:
            if mode is not None:
                os.chmod(temporary, mode)  # before anything is in it that others must not read
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_output(path: str | pathlib.Path, content: bytes) -> None:
    """Write a file that a user has named: a pipe or a device gets the bytes, a link stays one
    and its target is written, a file is replaced as a whole and keeps its mode. Raises OSError.
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        path.write_bytes(content)
        return
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    write_atomically(path.resolve(), content, mode)
