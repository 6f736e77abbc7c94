"""`average`: an average of the weights beside those that are trained."""

from __future__ import annotations

from collections.abc import Mapping

from dotnn.codegen import tree
from dotnn.codegen.lines import indented
from dotnn.codegen.optimizer import numpy_assignment
from dotnn.codegen.parts import Part
from dotnn.core.arguments import Bound
from dotnn.ir.expr import Expr, number, substitute
from dotnn.ir.expr.tree import Equation
from dotnn.library.averages import Average
from dotnn.model.model import Model
from dotnn.targets.numpy.fast.update import plan_equations
from dotnn.targets.numpy.settings import Writer

SHOWN = 'params | state["average"]'
IN_ARRAYS = "average_params"
"""What is shown, where parameters and averages are arrays that exist."""
MEAN_OF = "sum(w[name] for w in recent.values()) / len(recent)"


def _explain(model: Model, average: Bound[Average], place: str) -> Part:
    said = "; ".join(part for part in (average.entry.source.partition(";")[0], place) if part)
    if average.entry.equations is None:
        return _explain_last(average, said)
    names = {"a": "average[name]", "w": "params[name]"}
    numbers: Mapping[str, Expr] = {n: number(v) for n, v in average.attrs.items()}
    lines = [Equation(e.target, substitute(e.value, numbers)) for e in average.entry.equations(average.attrs)]
    body = tree.For(
        "for name in PARAMS",
        (
            tree.If("name not in average", (tree.assign("average[name]", "params[name]"), tree.Do("continue"))),
            *(tree.assign(*numpy_assignment(line, (), names)) for line in lines),
        ),
    )
    doc = f"Renew the average {average} of the weights."
    renew = tree.Function("renew_average", ("average", "params"), doc, said, (body,))
    call = tree.Do('renew_average(state["average"], params)')
    return Part((renew,), kept={"average": "{}"}, updated=(call,), shown=SHOWN)


def _explain_last(average: Bound[Average], said: str) -> Part:
    unit, number_ = ("update", "done") if average.attrs["updates"] else ("epoch", "epoch")
    body = (
        tree.assign(f'state["recent"][str({unit} % {unit}s)]', "{name: params[name] for name in PARAMS}"),
        tree.assign("recent", 'state["recent"]'),
        tree.assign('state["average"]', f"{{name: {MEAN_OF} for name in PARAMS}}", "|="),
    )
    arguments = ("state", "params", unit, f"{unit}s={average.attrs[f'{unit}s']}")
    doc = f"Renew the mean of the weights of the last {unit}s: last({unit}s = {average.attrs[f'{unit}s']})."
    renew = tree.Function("renew_average", arguments, doc, said, body)
    call = (tree.Do(f"renew_average(state, params, {number_})"),)
    of_updates = unit == "update"
    return Part(
        (renew,),
        kept={"average": "{}", "recent": "{}"},
        updated=call * of_updates,
        epoch=call * (not of_updates),
        shown=SHOWN,
    )


def _fast(model: Model, average: Bound[Average]) -> Part:
    setup: list[tree.Stmt] = [
        tree.Assign(("flat_average", "average"), "flat_arrays(PARAMS, dtype)"),
        tree.Do("np.copyto(flat_average, w)"),
        tree.assign(IN_ARRAYS, "{**params, **average}"),
    ]
    shown = IN_ARRAYS
    if average.entry.equations is None:
        number_, count = (
            ("done", average.attrs["updates"]) if average.attrs["updates"] else ("epoch", average.attrs["epochs"])
        )
        keep = tree.assign(
            f'state["recent"][str({number_} % {count})]', "{name: params[name].copy() for name in PARAMS}"
        )
        call = tree.Do('renew_average(average, state["recent"])')
        held, kept = {"average": "average"}, {"recent": "{}"}
        renew = tree.Prose("\n".join(_mean_lines(average)))
        both, of_updates = (keep, call), number_ == "done"
        return Part(
            (renew,), tuple(setup), kept, held, shown=shown, updated=both * of_updates, epoch=both * (not of_updates)
        )
    setup.append(tree.assign("renew_average", "make_average(flat_average, w, begun=resume is not None)"))
    made = tree.Prose("\n".join(_moving_lines(average)))
    return Part((made,), tuple(setup), held={"average": "average"}, updated=(tree.Do("renew_average()"),), shown=shown)


def _mean_lines(average: Bound[Average]) -> list[str]:
    return [
        "def renew_average(average, recent):",
        f'    """Put the mean of the last weights in `average`: {average}.',
        "",
        f"    Source: {average.entry.source}.",
        '    """',
        "    for name, mean in average.items():",
        f"        mean[...] = {MEAN_OF}",
    ]


def _moving_lines(average: Bound[Average]) -> list[str]:
    assert average.entry.equations is not None
    equations = average.entry.equations(average.attrs)
    plan = plan_equations(equations, average.attrs, ("a", "w"))
    functions = sorted({"copyto", *plan.functions})
    return [
        "def make_average(a, w, *, begun):",
        f'    """Return the function that renews the average `a` of the weights `w` in place: {average}.',
        "",
        *(f"        {line}" for line in equations),
        "    The first time the average is w.",
        f"    Source: {average.entry.source}.",
        '    """',
        *(f"    {name} = np.empty_like(w)" for name in plan.scratch),
        *indented(plan.constants, 4),
        f"    {', '.join(functions)} = {', '.join(f'np.{f}' for f in functions)}",
        "",
        "    def renew():",
        "        nonlocal begun",
        "        if not begun:",
        "            copyto(a, w)",
        "            begun = True",
        "            return",
        *indented(plan.passes, 8),
        "",
        "    return renew",
    ]


AVERAGE = Writer("average", _explain, _fast)
