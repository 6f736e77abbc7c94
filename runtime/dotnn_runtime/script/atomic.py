"""Writing a file as a whole or not at all."""

import contextlib
import os
import pathlib


def write_atomically(path: str | pathlib.Path, content: bytes) -> None:
    """Write a file through a temporary one beside it, so that a crash leaves the old file or the new one."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
