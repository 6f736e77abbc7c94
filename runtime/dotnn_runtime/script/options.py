"""What a command line takes."""

import argparse
import typing


def at_least(least: int) -> typing.Callable[[str], int]:
    """Return a reader of whole numbers from `least` on, for an option."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more, not {value}")
        return value

    return number
