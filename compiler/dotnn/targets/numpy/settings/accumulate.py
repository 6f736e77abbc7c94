"""`accumulate`: the gradient of a large batch, computed in pieces."""

from __future__ import annotations

from dotnn.codegen import counting, tree
from dotnn.codegen.called import Names
from dotnn.codegen.parts import Part
from dotnn.codegen.training import sums
from dotnn.model.model import Model
from dotnn.targets.numpy.settings import Writer


def _explain(model: Model, count: int, names: Names, place: str) -> Part:
    def wrap(inner: str) -> tuple[str, tree.Item]:
        share = "" if sums(model) else "share * "
        first = next(iter(model.inputs))
        counts = counting.of_a_batch(model, 'batch["{}"]') if share else ""
        part = f'len(piece["{first}"]) / count'
        part = "counts[start : start + BATCH_SIZE].sum() / sum_of_weights(counts)" if counts else part
        piece = (
            tree.assign("piece", "{n: v[start : start + BATCH_SIZE] for n, v in batch.items()}"),
            *([tree.assign("share", part)] if share else []),
            tree.Assign(("loss", "found"), f"{inner}(params, piece, rng=rng)"),
            tree.assign("total", f"{share}loss", "+="),
            tree.assign("grads", f"{{n: grads.get(n, 0) + {share}found[n] for n in {names.params}}}"),
        )
        doc = f"accumulate = {count}: the loss and the gradient of a batch, in pieces of BATCH_SIZE."
        body: tuple[tree.Stmt, ...] = (
            tree.Assign(("count", "total", "grads"), f'len(batch["{first}"]), 0, {{}}'),
            *([tree.assign("counts", counts)] if counts else []),
            tree.For("for start in range(0, count, BATCH_SIZE)", piece),
            tree.Return("total, grads"),
        )
        name = names.own("accumulated")
        return name, tree.Function(name, ("params", "batch", "rng=None"), doc, place, body)

    return Part(wraps=wrap)


def _fast(model: Model, count: int, names: Names) -> Part:
    return Part()  # the template has it: it is made where a step is


ACCUMULATE = Writer("accumulate", _explain, _fast)
