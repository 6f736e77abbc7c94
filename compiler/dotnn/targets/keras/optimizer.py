"""The optimizer: Keras's own where it takes exactly this step, else a Keras optimizer made of the equations."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from dotnn.codegen import optimizer as numpy_optimizer
from dotnn.codegen.lines import indented, literal, wrapped
from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.core.arguments import Symbol
from dotnn.ir.expr import (
    DIALECTS,
    Attribute,
    Binary,
    Call,
    Equation,
    Expr,
    Method,
    Name,
    Number,
    map_children,
    parse,
    reads,
    spell,
    substitute,
)
from dotnn.model.model import Train
from dotnn.targets.keras import rules
from dotnn.targets.keras.lowered import class_name
from dotnn.targets.keras.rules.base import OptimizerRule

NO_RULE = OptimizerRule("", "")


def context(train: Train, *, stacked: bool, section: str = "") -> dict[str, object]:
    """Return what the templates of the optimizer show.

    `stacked` says whether a variable of Keras is several of our parameters; a class of its own that one of several
    sections has is called by `section`.
    """
    rule = rules.OPTIMIZERS.get(train.optimizer.name, NO_RULE)
    own = rule.options is None
    by_rows = stacked and train.clip is not None and train.clip.entry.each
    numbers = {k: v for k, v in numpy_optimizer.arguments(train).items() if k not in ("lr", "weight_decay")}
    held = numbers if own else {}
    plain = _plain(train, numbers)
    clip_call, clip_option = _clipping(train)
    name, base = _classes(train, rule, clips=bool(clip_call))
    name += f"Of{section.title()}" * (bool(section) and name != base)
    given = [*held, *["stacked"] * by_rows]
    start = train.schedule.attrs["lr"] if train.schedule else train.optimizer.attrs["lr"]
    arguments: dict[str, object] = {"stacked": Symbol("stacked")} if by_rows else {}
    arguments |= held | _keras_options(train, rule) | clip_option
    return {
        "head": textwrap.wrap(f'"""Return the optimizer {train.optimizer} of a network.', WIDTH - INDENT - len('"""')),
        "own": own,
        "name": name,
        "base": base,
        "clip": clip_call,
        "by_rows": by_rows,
        "call": indented(wrapped(f"optimizer = {name}(", [literal(float(start)), *_spelt(arguments)], ")")),
        "decays": bool(train.weight_decay),
        "rates": bool(train.setting("rates")),
        "doc": train.optimizer.entry.doc,
        "source": train.optimizer.entry.source,
        "remark": f"Unlike keras.optimizers.{rule.says}." if rule.says else "",
        "slots": numpy_optimizer.slots(train),
        "counts": numpy_optimizer.counts_updates(train),
        "given": given,
        "config": indented(wrapped("return {", ["**super().get_config()", *map(_entry, given)], "}"), 8),
        "numbers": list(numbers),
        "scheduled": bool(train.schedule),
        "lengths": {name: numpy_optimizer.RUN_LENGTHS[name] for name in numpy_optimizer.run_lengths(train)},
        "equations": [in_tensorflow(e, plain) for e in numpy_optimizer.equations(train)],
    }


def _plain(train: Train, numbers: Mapping[str, float]) -> dict[str, float]:
    """Return the names that are numbers of Python's when the graph is made: arguments, and what is made of them alone.

    The number of the update and the learning rate are tensors.
    """
    plain = dict(numbers) | dict.fromkeys(numpy_optimizer.RUN_LENGTHS, 0.0)
    for line in numpy_optimizer.equations(train):
        if plain.keys() >= {*reads(line.value)} and line.target not in ("w", *numpy_optimizer.slots(train)):
            plain[line.target] = 0.0
        else:
            plain.pop(line.target, None)
    return plain


def _clipping(train: Train) -> tuple[str, dict[str, float]]:
    """Return the call by which the optimizer clips gradients before its step, and the option by which Keras does.

    One of them is empty; the call lacks its closing bracket, for the axes may follow.
    """
    if train.clip is None:
        return "", {}
    rule, limit = rules.CLIPS[train.clip.name], float(train.clip.attrs["limit"])
    return (f"{train.clip.entry.helper}(grads, {literal(limit)}", {}) if rule.squares else ("", {rule.keras: limit})


def _classes(train: Train, rule: OptimizerRule, *, clips: bool) -> tuple[str, str]:
    """Return the class of the optimizer and the one that it extends: the same where it is Keras's as it stands."""
    if rule.options is None:
        return rule.keras or class_name(train.optimizer.name), "keras.optimizers.Optimizer"
    base = f"keras.optimizers.{rule.keras}"
    name = f"Clipped{rule.keras}" if clips else rule.keras
    if train.setting("rates"):
        return f"{name}ByParts", base
    return name if clips else base, base


def _keras_options(train: Train, rule: OptimizerRule) -> dict[str, object]:
    """Return the options that the optimizer has in Keras besides its own numbers."""
    decay = {"weight_decay": train.weight_decay} if train.weight_decay else {}
    return {**(rule.options(train.optimizer.attrs) if rule.options else {}), **decay}


def _spelt(arguments: Mapping[str, object]) -> list[str]:
    return [f"{n}={value.id if isinstance(value, Symbol) else literal(value)}" for n, value in arguments.items()]


def _entry(name: str) -> str:
    value = "[*self.stacked]" if name == "stacked" else f"self.{name}"
    return f'"{name}": {value}'


def in_tensorflow(line: Equation, numbers: Mapping[str, float]) -> str:
    """Return an equation in TensorFlow, over plain numbers by their names. Raises `Unspellable`."""
    value = _typed(_corrected(line.value, numbers), numbers)
    return f"{line.target} = {spell(value, DIALECTS['tensorflow'], numbers=numbers)}"


def _typed(expr: Expr, numbers: Mapping[str, float]) -> Expr:
    """Return an expression that chooses between plain numbers in the type of the weights: else it would be float32."""
    match map_children(expr, lambda part: _typed(part, numbers)):
        case Call("where", (test, yes, no)) if numbers.keys() >= {*reads(yes), *reads(no)}:
            yes = Method(Name("tf"), "constant", (yes, Attribute(Name("w"), "dtype")))
            return Call("where", (test, yes, no))
        case other:
            return other


def _corrected(expr: Expr, numbers: Mapping[str, float]) -> Expr:
    """Return an expression with another form of x / (1 - beta ** t).

    As it stands it would lose four digits of float32 at first; and one division of a number is faster than one of
    every element (5 % of W3's step).
    """
    match map_children(expr, lambda part: _corrected(part, numbers)):
        case Binary("/", x, Binary("-", Number(1), Binary("**", Name(beta), Name("t")))) if numbers.get(beta):
            return Binary("*", x, substitute(parse("-1 / expm1(t * log(beta))"), {"beta": beta}))
        case other:
            return other
