"""What a kind of definition is: `activation`, `loss`, …; each is one object in a file of this folder."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from dotnn.core.arguments import NUMBER, Arg, Member, show
from dotnn.core.arguments import number as number_kind
from dotnn.core.diagnostics import Reporter
from dotnn.ir import expr as tree
from dotnn.model import messages
from dotnn.model.constants import Constants, covers, evaluate, is_number, limits_of
from dotnn.model.definitions.documentation import Documentation, documentation
from dotnn.model.messages.base import Fail
from dotnn.model.scope import names_read
from dotnn.syntax import nodes

_WORDS = """
    np math d check constrain evaluate forward total_loss backward loss_and_grads init_params optimizer_state update
    renew_state train predict load_data main part training_pass step size dtype tf keras model variables
    trained weights assign fit prepare make_optimizer make_epoch build_model
"""
SCRIPT_WORDS = frozenset(_WORDS.split())
"""Names that scripts give a meaning, besides those of Python."""


@dataclass(frozen=True)
class Definitions:
    """What a definition is read in: the constants and definitions before it, and all sections that define something."""

    constants: Constants
    sections: Mapping[str, nodes.Definition]
    reporter: Reporter

    def place(self, node: nodes.Node) -> str:
        """Return where a node begins, as `line 3`."""
        return self.reporter.source.place(node.span)

    def documentation(self, section: nodes.Definition) -> Documentation:
        """Return what the spec says of a definition; where it says nothing, the line of the definition."""
        found = documentation(self.reporter.source, section)
        return found if found.text else Documentation(f"Defined in {self.place(section)}.", found.source)


@dataclass(frozen=True)
class DefinitionKind:
    """One kind of definition.

    name      the word that it begins with: "activation"
    read      what a definition becomes: a member as those of the language; raises `Fail`
    families  where it is looked up, names of `bind.FAMILIES`
    taken     the names that the language's own members of the family have
    example   a use of it, for warnings, with {name} in the place of its name
    """

    name: str
    read: Callable[[nodes.Definition, Definitions], Member]
    families: tuple[str, ...]
    taken: Collection[str] = field(repr=False)
    example: str


def arguments(params: Collection[nodes.BlockParam], known: Definitions) -> tuple[Arg, ...]:
    """Return the parameters of a definition as arguments of what it defines. Raises `Fail`."""
    return tuple(argument(param, known) for param in params)


def argument(param: nodes.BlockParam, known: Definitions) -> Arg:
    """Return a parameter as an argument: a number, within its limits. Raises `Fail`."""
    kind, name = NUMBER, param.name.id
    limits, text = limits_of(param.limits, known.constants) if param.limits else (None, "")
    if limits is not None:
        kind = number_kind(f"a number in {text}", lambda v: covers(limits, v))
    if param.default is None:
        return Arg(name, kind, doc=kind.expected)
    default = evaluate(param.default, known.constants)
    if not is_number(default):
        message = f"the default of {name} must be a number"
        raise Fail(messages.constants.bad_constant(param.default.span, message, f"for instance {name} = 1"))
    if kind.accept(default) is None:
        place = known.place(param)
        raise Fail(messages.constants.out_of_range(param.default.span, name, show(default), text, place))
    return Arg(name, kind, default, kind.expected)


def check_names(section: nodes.Definition, known: Definitions) -> None:
    """Raise `Fail` for a parameter that is named twice."""
    earlier: set[str] = set()
    for param in section.params:
        name = param.name
        if name.id in earlier:
            raise Fail(messages.names.duplicate_name(name.span, name.id, known.place(section.params[0])))
        earlier.add(name.id)


def check_use(section: nodes.Definition) -> None:
    """Raise `Fail` for a parameter that the formula does not read."""
    read = names_read(section.value)
    for param in section.params:
        if param.name.id not in read:
            raise Fail(messages.names.unused_value(param.name.span, param.name.id, "parameter"))


def safe(name: str, taken: Collection[str] = ()) -> str:
    """Return a name of the spec as one that Python and the script have no other meaning for, nor the names `taken`."""
    known = keyword.iskeyword(name) or hasattr(builtins, name) or name in SCRIPT_WORDS or name in tree.FUNCTIONS
    return f"{name}_" if known or name in taken else name
