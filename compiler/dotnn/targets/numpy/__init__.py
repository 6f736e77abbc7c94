"""NumPy: a script that holds its own gradients, written to be read (explain) or to be fast (fast)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dotnn.targets.base import Draft, Style, Target
from dotnn.targets.options import HELPERS, Option, Options

if TYPE_CHECKING:
    from dotnn.passes.base import Pipeline


def _write(draft: Draft) -> str:
    if draft.parts and draft.style is not FAST:
        from dotnn.targets.numpy.explain.turns import explained_turns

        return explained_turns(draft).text
    if draft.parts:
        from dotnn.targets.numpy.turns import script_of_turns

        return script_of_turns(draft)
    if draft.style is FAST:
        from dotnn.targets.numpy.script import script

        return script(draft)
    from dotnn.targets.numpy.explain.script import explain_script

    return explain_script(draft).text


def _plain(options: Options, words: frozenset[str]) -> Pipeline:
    from dotnn.passes.recompute_losses import recompute_losses

    *passes, names = _common(options, words)
    return (*passes, recompute_losses, names)


def _to_be_read(options: Options, words: frozenset[str]) -> Pipeline:
    from dotnn.passes.in_parts import in_parts

    fuse, stable, *rest = _plain(options, words)
    return (fuse, stable, in_parts, *rest)


def _common(options: Options, words: frozenset[str]) -> Pipeline:
    from dotnn.passes.pipelines import plain

    return plain(input_gradients=bool(options.get("input_gradients")), words=words)


def _for_speed(options: Options, words: frozenset[str]) -> Pipeline:
    """The same network, put together for speed before and after it is differentiated."""
    from dotnn.passes.fuse_formulas import fuse_formulas
    from dotnn.passes.in_parts import in_parts
    from dotnn.passes.join_gates import join_gates
    from dotnn.passes.pack_steps import pack_steps
    from dotnn.passes.pool_filters import pool_filters
    from dotnn.passes.sum_after_loops import sum_after_loops

    fuse, stable, names, *rest, last = _common(options, words)
    before = (fuse, stable, fuse_formulas, in_parts, names, pool_filters)
    return (*before, *rest, sum_after_loops, join_gates, pack_steps, last)


def _for_predictions(options: Options, words: frozenset[str], shown: tuple[str, ...]) -> Pipeline:
    """The forward pass of the same network, put together for speed."""
    from dotnn.passes.join_gates import join_gates
    from dotnn.passes.order_gates import order_gates
    from dotnn.passes.pack_steps import pack_steps
    from dotnn.passes.pool_filters import pool_filters
    from dotnn.passes.predict import predict
    from dotnn.passes.scale_first import scale_first

    whole = _plain(options, words)
    joined = (pool_filters, join_gates, pack_steps, order_gates, scale_first)
    return (*whole, predict.given(shown=shown), *joined, whole[-1])


def _schedule(draft: Draft) -> str:
    from dotnn.targets.numpy.fast.context import describe_schedule

    return describe_schedule(draft)


def _placement(draft: Draft) -> str:
    from dotnn.targets.numpy.fast.context import describe_placement

    return describe_placement(draft)


def _check_memory(draft: Draft, script: str) -> None:
    """Check the memory of a fast step and of a prediction. Only this brings NumPy into a compilation."""
    from dotnn.targets.numpy.fast.placement.verify import verify_plan
    from dotnn.targets.numpy.script import plans

    for plan in plans(draft):
        verify_plan(plan, script)


EXPLAIN = Style("explain", "to be read", _to_be_read, lacks=("helpers",))
FAST = Style(
    "fast",
    "to be run",
    _plain,
    _for_speed,
    _for_predictions,
    {"placement": _placement, "schedule": _schedule},
    _check_memory,
    scaled=True,
    in_place=True,
)

NUMPY = Target(
    "numpy",
    "NumPy",
    _write,
    (EXPLAIN, FAST),
    options=(Option("input_gradients", "also compute the gradients with respect to the inputs."), HELPERS),
    gradients=True,
)
