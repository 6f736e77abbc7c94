"""`noise`: Gaussian noise on gradients, or on the weights that a gradient is computed with."""

from __future__ import annotations

from dotnn.codegen import tree
from dotnn.codegen.lines import literal
from dotnn.codegen.parts import Part
from dotnn.core.arguments import Bound
from dotnn.ir.expr import DIALECTS, Name, number, parse, spell, substitute
from dotnn.library.noises import Noise
from dotnn.model.model import Model
from dotnn.targets.numpy.settings import Writer


def _deviation(noise: Bound[Noise]) -> str:
    """Return the expression of the standard deviation at an update."""
    if not noise.attrs.get("fade"):
        return literal(noise.attrs["sigma"])
    values = {**{name: number(value) for name, value in noise.attrs.items()}, "step": Name("done")}
    return spell(substitute(parse(noise.entry.deviation), values), DIALECTS["math"])


def _explain(model: Model, noise: Bound[Noise], place: str) -> Part:
    if noise.entry.on == "gradient":
        noisy = tree.assign("grads", f"with_noise({{n: grads[n] for n in PARAMS}}, {_deviation(noise)}, rng)")
        return Part(gradient=(noisy,), draws=True)
    state = any(p.renewed for p in model.params.values())

    def wrap(inner: str) -> tuple[str, tree.Item]:
        body: tuple[tree.Stmt, ...] = (
            tree.assign("noisy", f"params | with_noise({{n: params[n] for n in PARAMS}}, {_deviation(noise)}, rng)"),
            tree.Assign(("loss", "grads"), f"{inner}(noisy, batch, rng=rng)"),
            *([tree.Do("params.update({name: noisy[name] for name in STATE})")] if state else []),
            tree.Return("loss, grads"),
        )
        doc = f"noise = {noise}: the loss and the gradient at weights with noise."
        return "noisy_pass", tree.Function("noisy_pass", ("params", "batch", "rng"), doc, place, body)

    return Part(wraps=wrap, draws=True)


def _fast(model: Model, noise: Bound[Noise]) -> Part:
    if noise.entry.on == "gradient":
        return Part(gradient=(tree.Do(f"add_noise([grads[n] for n in PARAMS], {_deviation(noise)}, rng)"),), draws=True)
    names = ["step"] if not model.train.batch else ["step", "last_step"]
    held = tree.assign("weights", "[params[name] for name in PARAMS]")
    wrap = (tree.assign(name, f"at_noisy_weights({name}, w, weights, {_deviation(noise)})") for name in names)
    return Part(setup=(held, *wrap), draws=True)


NOISE = Writer("noise", _explain, _fast)
