"""Settings of the training loop: keys of `train` that a spec may have or not, each read by a file of its own.

A setting says what a spec may write, and with what it goes together. How a training loop does it is said by each
target, in its own folder `settings`, under the same name; a target that does not is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dotnn.core.arguments import Arg
from dotnn.core.diagnostics import Diagnostic, Reporter
from dotnn.core.registry import collect
from dotnn.model import messages
from dotnn.model.bind import convert
from dotnn.model.model import Chosen
from dotnn.model.section import SectionReader
from dotnn.model.stops import Quantities
from dotnn.syntax import nodes

if TYPE_CHECKING:
    from dotnn.model.model import Model

Args = tuple[tuple[str, tuple[Arg, ...]], ...]
"""The arguments of calls that a setting's value is made of, by what is called."""
Reader = Callable[[nodes.Expr, SectionReader, Quantities], Any]
Clash = tuple[str, str]
"""Why something cannot be, and what to write instead."""


def _alone(model: Model, value: Any) -> Iterator[Clash]:
    yield from ()


def _never(value: Any) -> bool:
    return False


EACH, ALL = "each", "all"
"""Who may have a setting where sections take turns: each of them its own, or all of them one."""


@dataclass(frozen=True)
class Setting:
    """One setting.

    doc     what the manual says of the key
    read    (expression, section, what is reported) -> the value, None where it is the default; raises `Fail`
    clashes (model, value) -> with what of a model it does not go together
    counts  value -> whether the loop counts its updates for it
    args    for the manual
    turns   where sections take turns: whether `EACH` of them has its own or `ALL` one, else why there is none
    """

    name: str
    doc: str
    read: Reader
    clashes: Callable[[Model, Any], Iterator[Clash]] = _alone
    counts: Callable[[Any], bool] = _never
    args: Args = ()
    turns: str = "it acts on the updates of a training, and each section has its own"


def plain(arg: Arg) -> Reader:
    """Return the reader of a key that takes one constant; the default is as if it were not there."""

    def read(expr: nodes.Expr, section: SectionReader, quantities: Quantities) -> Any:
        value = convert(f"`{section.keyword}`", arg, expr, section.constants)
        return None if value == arg.default else value

    return read


SETTINGS: dict[str, Setting] = collect(__name__, __path__, Setting)


def _reader(setting: Setting, section: SectionReader, quantities: Quantities) -> Callable[[nodes.Expr], Any]:
    return lambda expr: setting.read(expr, section, quantities)


def read_settings(section: SectionReader, quantities: Quantities) -> Mapping[str, Chosen]:
    """Return the settings that a section has, by name; errors go to its reporter."""
    found: dict[str, Chosen] = {}
    for name, setting in SETTINGS.items():
        value = section.read(name, _reader(setting, section, quantities), None)
        if value is not None:
            found[name] = Chosen(value, section.values[name].span)
    return found


def check_settings(model: Model, reporter: Reporter) -> None:
    """Report the settings that do not go together with the rest of a model, each once."""
    found = [clash for name in model.train.settings for clash in _clashes(model, name)]
    for turn in model.turns:
        alone = replace(model, train=turn.train)
        found += [c for name in turn.train.settings if SETTINGS[name].turns == EACH for c in _clashes(alone, name)]
    for clash in dict.fromkeys(found):
        reporter.add(clash)


def _clashes(model: Model, name: str) -> Iterator[Diagnostic]:
    chosen = model.train.settings[name]
    for reason, help in SETTINGS[name].clashes(model, chosen.value):
        yield messages.training.setting_clash(chosen.span, name, reason, help)
