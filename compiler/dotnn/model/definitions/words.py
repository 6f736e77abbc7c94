"""The words that functions of a script have for themselves: no argument of what a spec defines is called so."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Collection

from dotnn.ir.expr import FUNCTIONS
from dotnn.model import messages
from dotnn.model.definitions.base import SCRIPT_WORDS
from dotnn.model.messages.base import Fail
from dotnn.syntax import nodes

_UPDATE = """
    params grads state name rate parts shrink shrinking weight self index variable gradient held memory
    add subtract multiply divide negative power copyto less less_equal greater greater_equal equal not_equal
    logical_and logical_or logical_not
"""
"""What `update` and `make_update` call things."""
_KERAS = """
    add_optimizer_variables add_variable add_variable_from_reference apply apply_gradients assign assign_add assign_sub
    build built clipnorm clipvalue ema_momentum ema_overwrite_frequency exclude_from_weight_decay
    finalize_variable_values from_config get_config global_clipnorm gradient_accumulation_steps iterations learning_rate
    load_own_variables loss_scale_factor name save_own_variables scale_loss set_weights stacked stateless_apply
    update_step use_ema variables weight_decay
"""
"""What an optimizer of Keras calls things."""
OF_SCHEDULES = frozenset(["np", "math", "steps_per_epoch"])
OF_OPTIMIZERS = OF_SCHEDULES | SCRIPT_WORDS | {*_UPDATE.split(), *_KERAS.split()}
_NUMBERED = re.compile(r"(number|scratch|mask)_\d+")
"""Numbers and arrays of an update in the fast style."""


def is_taken(name: str, words: Collection[str]) -> bool:
    """Whether a name is one of these words, or means something to Python, or in every formula."""
    python = keyword.iskeyword(name) or hasattr(builtins, name)
    return python or name in words or name in FUNCTIONS or name.endswith("_") or bool(_NUMBERED.fullmatch(name))


def free(name: str, used: Collection[str]) -> str:
    """Return a name for a value of an optimizer that no other has: with a number at its end, where it must be."""
    count, candidate = 1, name
    while candidate in used or is_taken(candidate, OF_OPTIMIZERS):
        candidate = f"{name.rstrip('_')}{count}"
        count += 1
    return candidate


def check_arguments(section: nodes.Definition, words: Collection[str]) -> None:
    """Raise `Fail` for a parameter with a name of another meaning, or with a kind: they are numbers."""
    for param in section.params:
        if is_taken(param.name.id, words):
            raise Fail(messages.procedures.taken(param.name.span, param.name.id, section.keyword))
        if param.kind is not None:
            raise Fail(messages.procedures.kind_of_number(param.kind.span, section.keyword))
