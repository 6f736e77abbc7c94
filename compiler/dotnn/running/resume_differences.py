"""In what a training differs from the one that a run was begun with, where a person would look for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from dotnn import __version__
from dotnn.codegen.heading import read_heading
from dotnn.core.arguments import show
from dotnn.core.diagnostics import CompileError, Source
from dotnn.syntax import nodes
from dotnn.syntax.parse import parse
from dotnn.syntax.scan import scan
from dotnn_runtime.run_folder import RunFolder

FREE = ("train.epochs",)
"""What may differ: a run may be made longer."""
SHOWN = 8
"""How many differences are named."""


@dataclass(frozen=True)
class Training:
    """What makes a training: its identity, its spec, and what the command line adds to it; no style, no choice.

    `spec` is its text, and those of the files that it uses. `more` are options that have a value in every training.
    """

    identity: str
    spec: str
    target: str
    style: str
    values: Mapping[str, object]
    more: Mapping[str, object]

    @property
    def told(self) -> dict[str, object]:
        """What tells it from others."""
        return {"training": self.identity, **self.more}

    @property
    def info(self) -> dict[str, object]:
        """What `run.json` says of it."""
        return {**self.told, "target": self.target, "set": dict(self.values)}


def differences(folder: RunFolder, now: Training) -> list[str]:
    """Return one line for each thing that differs, but for what may differ."""
    script = _text(folder.path / "model.py")
    before, after = folder.manifest.get("set"), now.values
    found = [
        *_of_specs("\n".join(_text(folder.path / name) for name in folder.files if name.endswith(".nn")), now.spec),
        *_of_settings(before if isinstance(before, dict) else {}, after),
        *_of_option("target", folder.manifest.get("target"), now.target),
        *_of_option("style", read_heading(script).get("style"), now.style),
        *(line for name, value in now.more.items() for line in _of_option(name, folder.manifest.get(name), value)),
    ]
    if not found:
        version = folder.manifest.get("version")
        return [f"the spec and the options are the same; the run was written by dotnn {version}, this is {__version__}"]
    return found[:SHOWN] + (["…"] if len(found) > SHOWN else [])


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _of_option(name: str, before: object, now: object) -> list[str]:
    """Return how an option differs from that of the run; nothing is said where the run does not tell."""
    told = before not in (None, "") and now != ""
    return [f"the run was begun with --{name} {before}, not {now}"] if told and before != now else []


def _of_settings(before: Mapping[str, object], now: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        if name not in now:
            yield f"the run was begun with --set {name}={show(before[name])}"
        elif name not in before:
            yield f"the run was begun without --set {name}={show(now[name])}"
        elif before[name] != now[name]:
            yield f"the run was begun with --set {name}={show(before[name])}, not {show(now[name])}"


def _of_specs(before: str, now: str) -> list[str]:
    try:
        old, new = _entries(before), _entries(now)
    except CompileError:  # the copy in the run folder was edited
        return ["the spec in the run folder cannot be read any more"]
    places = [place for place in dict.fromkeys([*old, *new]) if place not in FREE]
    return [line for place in places for line in _of_entry(old.get(place, []), new.get(place, []))]


def _of_entry(before: list[str], now: list[str]) -> Iterator[str]:
    for old, new in zip_longest(before, now):
        if _words(old) != _words(new):
            yield f"the spec said {old or 'nothing'}, it now says {new or 'nothing'}"


def _words(text: str | None) -> list[str]:
    """Return a piece of a spec without layout and comments."""
    return [piece.text for piece in scan(text or "") if piece.kind != "comment"]


def _entries(text: str) -> dict[str, list[str]]:
    """Return the pieces of a spec by their place: `train.loss`, `model.h`, and `train` for the head of the section."""
    entries: dict[str, list[str]] = {}
    for section in parse(Source("spec.nn", text)).sections:
        place, end = _head(text, section)
        entries.setdefault(place, []).append(_on_one_line(text[section.span.start : end]))
        for statement in section.statements:
            entries.setdefault(f"{place}.{_name(statement)}", []).append(
                _on_one_line(text[statement.span.start : statement.span.end])
            )
    return entries


def _head(text: str, section: nodes.Section) -> tuple[str, int]:
    """Return the place of a section, and where its head ends: a definition without statements is nothing but head."""
    name = f" {section.name.id}" if isinstance(section, nodes.Definition | nodes.BlockSection) else ""
    place = f"{section.keyword}{name}"
    if isinstance(section, nodes.Use) or (isinstance(section, nodes.Definition) and not section.statements):
        return place, section.span.end
    return place, text.index("{", section.span.start)


def _on_one_line(text: str) -> str:
    """Return a piece of a spec without comments and line ends."""
    shown, end = "", 0
    for piece in scan(text):
        if piece.kind != "comment":
            shown += (" " if shown and piece.start > end else "") + piece.text
            end = piece.end
    return shown


def _name(statement: nodes.Stmt) -> str:
    name = getattr(statement, "name", None)
    return name.id if isinstance(name, nodes.Name) else ""
