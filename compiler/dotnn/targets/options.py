"""What the command line says of a script: the options of all targets, and those of one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """An option of `dotnn compile` that only some targets have: a switch, or one of a few words."""

    name: str
    help: str
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """How it is written on the command line."""
        return f"--{self.name.replace('_', '-')}"


HELPERS = Option(
    "helpers", "paste the helpers into the script, or import them from dotnn_runtime.", ("paste", "import")
)


@dataclass(frozen=True, init=False)
class Options:
    """Which script of a spec is wanted. Equal ones give the same script.

    style   "" for the first of the target;  target: "" for the one whose gradients are proven
    sets    the texts of `--set`;  epochs: what `--epochs` says, 0 for nothing: both stand in the head of the script
    own     what is said of the target's own options, such as `distribute="mirrored"`; what is off is left out
    """

    style: str
    sets: tuple[str, ...]
    target: str
    epochs: int
    own: tuple[tuple[str, object], ...]

    def __init__(
        self, style: str = "", sets: tuple[str, ...] = (), target: str = "", epochs: int = 0, **own: object
    ) -> None:
        given = tuple((name, value) for name, value in own.items() if value)
        vars(self).update(style=style, sets=tuple(sets), target=target, epochs=epochs, own=given)

    def get(self, option: str) -> str:
        """Return the text of what is said of one of the target's own options, "" where nothing is."""
        return str(dict(self.own).get(option, ""))
