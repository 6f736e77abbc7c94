"""The optimizer: Keras's own where it takes exactly this step, else a Keras optimizer made of the equations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dotnn.codegen import optimizer as numpy_optimizer
from dotnn.codegen.lines import indented, literal, wrapped
from dotnn.core.arguments import Symbol
from dotnn.ir.expr import DIALECTS, Binary, Expr, Name, Number, equation, map_children, parse, spell, substitute
from dotnn.model.model import Train
from dotnn.targets.keras import rules
from dotnn.targets.keras.network import class_name
from dotnn.targets.keras.rules.base import OptimizerRule

NO_RULE = OptimizerRule("", "")


def context(train: Train, *, stacked: bool) -> dict[str, object]:
    """Return what the templates of the optimizer show.

    `stacked` says whether a variable of Keras is several of our parameters.
    """
    bound, clip = train.optimizer, train.clip
    entry, attrs = bound.entry, bound.attrs
    rule, clipping = rules.OPTIMIZERS.get(bound.name, NO_RULE), rules.CLIPS[clip.name] if clip else None
    own = rule.options is None
    clipped = clipping is not None and clipping.squares
    by_rows = stacked and clip is not None and clip.entry.each
    options: dict[str, Any] = dict(rule.options(attrs)) if rule.options else {}
    options |= {"weight_decay": train.weight_decay} if train.weight_decay else {}
    options |= {clipping.keras: float(clip.attrs["limit"])} if clip and clipping and not clipped else {}
    start = train.schedule.attrs["lr"] if train.schedule else attrs["lr"]
    numbers = {k: v for k, v in numpy_optimizer.arguments(train).items() if k not in ("lr", "weight_decay")}
    options = {**({"stacked": Symbol("stacked")} if by_rows else {}), **(numbers if own else {}), **options}
    given = [*(numbers if own else ()), *["stacked"] * by_rows]
    in_keras = rule.keras
    base = "keras.optimizers.Optimizer" if own else f"keras.optimizers.{in_keras}"
    name = (in_keras or class_name(bound.name)) if own else base
    name = f"Clipped{in_keras}" if clipped and not own else name
    return {
        "text": str(bound),
        "own": own,
        "name": name,
        "base": base,
        "clip": f"{clip.entry.helper}(grads, {literal(float(clip.attrs['limit']))}" if clip and clipped else "",
        "by_rows": by_rows,
        "call": indented(wrapped(f"optimizer = {name}(", [literal(float(start)), *_options(options)], ")")),
        "decays": bool(train.weight_decay),
        "doc": entry.doc,
        "source": entry.source,
        "remark": f"Unlike keras.optimizers.{rule.says}." if rule.says else "",
        "slots": numpy_optimizer.slots(train),
        "start": numpy_optimizer.slot_start(train),
        "counts": numpy_optimizer.counts_updates(train),
        "given": given,
        "config": indented(wrapped("return {", ["**super().get_config()", *map(_entry, given)], "}"), 8),
        "numbers": list(numbers),
        "scheduled": bool(train.schedule),
        "equations": [in_tensorflow(e, numbers) for e in numpy_optimizer.equations(train)],
    }


def _options(options: Mapping[str, object]) -> list[str]:
    return [f"{n}={value.id if isinstance(value, Symbol) else literal(value)}" for n, value in options.items()]


def _entry(name: str) -> str:
    value = "[*self.stacked]" if name == "stacked" else f"self.{name}"
    return f'"{name}": {value}'


def in_tensorflow(line: str, numbers: Mapping[str, float]) -> str:
    """Return an equation in TensorFlow, over plain numbers by their names. Raises `Unspellable`."""
    found = equation(line)
    return f"{found.target} = {spell(_corrected(found.value, numbers), DIALECTS['tensorflow'], numbers=numbers)}"


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
