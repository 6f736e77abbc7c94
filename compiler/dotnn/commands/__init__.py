"""The commands: one file each, found by the registry like a layer. The work of the larger ones lies in folders."""

from __future__ import annotations

import click

from dotnn.core.registry import collect

COMMANDS: dict[str, click.Command] = collect(  # type: ignore[type-var]
    __name__, __path__, click.Command
)
"""Every command by its name; click would let one have none."""
