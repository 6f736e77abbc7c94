"""`noise`: Gaussian noise on gradients, or on the weights that a gradient is computed with."""

from __future__ import annotations

from dotnn.codegen import tree
from dotnn.codegen.called import Names
from dotnn.codegen.lines import literal
from dotnn.codegen.parts import Part
from dotnn.core.arguments import Bound
from dotnn.ir.expr import DIALECTS, Name, number, parse, spell, substitute
from dotnn.library.noises import Noise
from dotnn.model.model import Model
from dotnn.targets.numpy.settings import Writer


def _deviation(noise: Bound[Noise], done: str) -> str:
    """Return the expression of the standard deviation at an update."""
    if not noise.attrs.get("fade"):
        return literal(noise.attrs["sigma"])
    values = {**{name: number(value) for name, value in noise.attrs.items()}, "step": Name(done)}
    return spell(substitute(parse(noise.entry.deviation), values), DIALECTS["math"])


def _explain(model: Model, noise: Bound[Noise], names: Names, place: str) -> Part:
    deviation = _deviation(noise, names.entry("done"))

    def noisy(of: str) -> str:
        return f"with_noise({{n: {of}[n] for n in {names.params}}}, {deviation}, rng)"

    if noise.entry.on == "gradient":
        return Part(gradient=(tree.assign("grads", noisy("grads")),), draws=True)
    state = any(p.renewed for p in model.params.values())

    def wrap(inner: str) -> tuple[str, tree.Item]:
        body: tuple[tree.Stmt, ...] = (
            tree.assign("noisy", f"params | {noisy('params')}"),
            tree.Assign(("loss", "grads"), f"{inner}(noisy, batch, rng=rng)"),
            *([tree.Do("params.update({name: noisy[name] for name in STATE})")] if state else []),
            tree.Return("loss, grads"),
        )
        doc = f"noise = {noise}: the loss and the gradient at weights with noise."
        name = names.own("noisy_pass")
        return name, tree.Function(name, ("params", "batch", "rng"), doc, place, body)

    return Part(wraps=wrap, draws=True)


def _fast(model: Model, noise: Bound[Noise], names: Names) -> Part:
    deviation = _deviation(noise, names.entry("done"))
    if noise.entry.on == "gradient":
        grads = f"[{names.entry('grads')}[n] for n in {names.params}]"
        return Part(gradient=(tree.Do(f"add_noise({grads}, {deviation}, rng)"),), draws=True)
    steps = [names.own(step) for step in (["step"] if not model.train.batch else ["step", "last_step"])]
    w, weights = names.entry("w"), names.own("weights")
    held = tree.assign(weights, f"[params[name] for name in {names.params}]")
    wrap = (tree.assign(step, f"at_noisy_weights({step}, {w}, {weights}, {deviation})") for step in steps)
    return Part(setup=(held, *wrap), draws=True)


NOISE = Writer("noise", _explain, _fast)
