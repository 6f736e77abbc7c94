"""The command line of a script: what it takes, and whether somebody reads what it says."""

import argparse
import contextlib
import os
import sys
import typing


def at_least(least: int, most: int | None = None) -> typing.Callable[[str], int]:
    """Return a reader of whole numbers from `least` on, to `most` where it is given, for an option."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more, not {value}")
        if most is not None and value > most:
            raise argparse.ArgumentTypeError(f"must be {most} or less, not {value}")
        return value

    return number


@contextlib.contextmanager
def output_may_close() -> typing.Iterator[None]:
    """End the program quietly where nobody reads its output any more, as after `| head`."""
    try:
        try:
            yield
        finally:
            print(end="", flush=True)  # else it is noticed when Python ends, which says so at length
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
