"""Where a script computes a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """Where a value is computed.

    path     which calls lead there: at each level how many calls come before it, from the function of the contract on
    function the name of the function;  target: what the statement assigns to, "" for what is returned
    line     of the script, from 1;  in_loop: whether the statement runs once for every time step
    adds     whether it adds to a sum over the steps;  statements: how many, from that line on, make the value
    at       where the value is in what is returned, index by index
    """

    path: tuple[int, ...]
    function: str
    target: str
    line: int
    in_loop: bool = False
    adds: bool = False
    statements: int = 1
    at: tuple[int | str, ...] = ()
