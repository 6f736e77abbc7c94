"""What a command line takes."""

import argparse
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
