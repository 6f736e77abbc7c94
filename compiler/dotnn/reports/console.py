"""What the commands say: warnings and errors on stderr, results as JSON on stdout."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import TextIO

import click

from dotnn.core.diagnostics import CompileError

_STYLES = {"error[": "red", "warning[": "yellow", "  help:": "cyan"}


def warn(warnings: tuple[str, ...]) -> None:
    """Print warnings on stderr."""
    for warning in warnings:
        click.echo(_coloured(warning) + "\n", err=True)


def columns(stream: TextIO) -> int | None:
    """Return how wide the terminal is that a stream writes to, None where it goes elsewhere."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def say(text: str, *, err: bool = False) -> None:
    """Print a line; in a terminal it is wrapped between words, under its own indentation."""
    width = columns(sys.stderr if err else sys.stdout)
    if width is not None:
        indent = " " * (len(text) - len(text.lstrip()))
        text = textwrap.fill(
            text, max(width, 1), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    click.echo(text, err=err)


def show_errors(error: CompileError) -> None:
    """Print all diagnostics of an error and their number on stderr."""
    click.echo(_coloured(error.render()), err=True)
    count = len(error.diagnostics)
    click.echo(f"\n{count} error{'s' if count != 1 else ''}", err=True)


def show_fault(fault: Exception) -> None:
    """Say that dotnn itself failed."""
    text = f"error[NN901]: dotnn failed: {type(fault).__name__}: {fault}\n"
    text += "  note: this is a bug in dotnn, not in the spec"
    click.echo(_coloured(f"{text}\n  help: set DOTNN_TRACEBACK=1, run again and report what it prints"), err=True)


def show_json(value: Mapping[str, object]) -> None:
    """Print exactly one JSON object on stdout."""
    click.echo(json.dumps(value, indent=2))


def _coloured(text: str) -> str:
    if os.environ.get("NO_COLOR") or not sys.stderr.isatty():  # https://no-color.org
        return text
    lines = []
    for line in text.split("\n"):
        colour = next((c for start, c in _STYLES.items() if line.startswith(start)), None)
        lines.append(click.style(line, fg=colour) if colour else line)
    return "\n".join(lines)
