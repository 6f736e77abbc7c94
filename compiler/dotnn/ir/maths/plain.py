"""Mathematics on one line of Unicode, for terminals and plain pages: `δ¹ = ∂E/∂a¹ ⊙ (1 − a¹ ⊙ a¹)`."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.maths.symbol import Symbol

ABOVE = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
BELOW = str.maketrans("0123456789+-ts", "₀₁₂₃₄₅₆₇₈₉₊₋ₜₛ")
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "lambda": "λ",
    "mu": "μ",
    "rho": "ρ",
    "sigma": "σ",
    "sigma2": "σ²",
    "theta": "θ",
}
"""The letters that a name stands for."""


class Plain:
    """Unicode on one line."""

    is_linear = True

    def symbol(self, symbol: Symbol, items: Sequence[str]) -> str:
        """Return a symbol: `z¹`, `hₜ₋₁`, `∂E/∂W²`; with the indices of an element `z¹[n,j]`."""
        text = self._whole(symbol)
        return f"{text}[{','.join(items)}]" if items else text

    def _whole(self, symbol: Symbol) -> str:
        base = GREEK.get(symbol.base, symbol.base)
        base = f"({base})" if base[-1] in SUPERSCRIPTS and symbol.layer else base
        text = f"{'δ' if symbol.is_delta else base}{symbol.layer.translate(ABOVE)}{symbol.step.translate(BELOW)}"
        text = f"∂E/∂{text}" if symbol.is_slope and not symbol.is_delta else text
        return f"{text}|{self._via(symbol.via)}" if symbol.via else text

    def _via(self, via: Symbol) -> str:
        return self._whole(via) if via.base else via.step.translate(BELOW)

    def letter(self, name: str) -> str:
        """Return a name as it is."""
        return name

    def number(self, text: str) -> str:
        """Return a number as it is."""
        return text

    def operator(self, sign: str, left: str, right: str) -> str:
        """Return `left ⊙ right`; a product without a sign has a space in its place."""
        return f"{left} {sign} {right}" if sign and left else f"{left}{sign or ' '}{right}"

    def negative(self, part: str) -> str:
        """Return `−part`."""
        return f"−{part}"

    def fraction(self, above: str, below: str) -> str:
        """Return `above / below`."""
        return f"{above} / {below}"

    def power(self, base: str, exponent: str) -> str:
        """Return `x²`, or `x^(exponent)` where the exponent is no whole number."""
        plain = exponent.replace("−", "-")
        if plain.removeprefix("-").isdecimal():
            return f"{base}{plain.translate(ABOVE)}"
        return f"{base}^{exponent}" if exponent.isidentifier() else f"{base}^({exponent})"

    def root(self, part: str) -> str:
        """Return `√(part)`."""
        return f"√({part})"

    def transposed(self, part: str) -> str:
        """Return `Wᵀ`."""
        return f"{part}ᵀ"

    def function(self, name: str, parts: Sequence[str]) -> str:
        """Return `f(x, y)`."""
        return f"{name}({', '.join(parts)})"

    def fenced(self, left: str, parts: Sequence[str], right: str) -> str:
        """Return `(parts)`."""
        return f"{left}{', '.join(parts)}{right}"

    def over(self, kind: str, indices: Sequence[str], body: str) -> str:
        """Return `Σ[n,j] body`."""
        return f"{kind}[{','.join(indices)}] {body}"

    def cases(self, test: str, yes: str, no: str) -> str:
        """Return `{yes if test; no otherwise}`."""
        return f"{{{yes} if {test}; {no} otherwise}}"

    def equation(self, left: str, sign: str, right: str) -> str:
        """Return `left = right`."""
        return f"{left} {sign} {right}"


PLAIN = Plain()
