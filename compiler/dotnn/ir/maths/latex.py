r"""Mathematics in LaTeX, of what amsmath has: `\delta^{(1)} = …`."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.maths.plain import GREEK
from dotnn.ir.maths.symbol import Symbol

SIGNS = {
    "": r"\,",
    "·": r"\cdot",
    "⊙": r"\odot",
    "−": "-",
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "∧": r"\land",
    "∨": r"\lor",
    "¬": r"\lnot",
    "mod": r"\bmod",
    "←": r"\leftarrow",
}
FENCES = {
    "(": r"\left(",
    ")": r"\right)",
    "[": r"\left[",
    "]": r"\right]",
    "|": "|",
    "⌊": r"\left\lfloor",
    "⌋": r"\right\rfloor",
}
KNOWN = {"exp", "log", "tanh", "sin", "cos", "max", "min"}
"""Functions that LaTeX has a name for."""
SPECIAL = str.maketrans({c: f"\\{c}" for c in "#$%&_{}"} | {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"})
OVERS = {"Σ": r"\sum", "max": r"\max", "min": r"\min"}


def escaped(text: str) -> str:
    """Return a text in which LaTeX finds no command."""
    return text.translate(SPECIAL)


class Latex:
    """LaTeX for math mode."""

    is_linear = False

    def symbol(self, symbol: Symbol, items: Sequence[str]) -> str:
        r"""Return a symbol: `z^{(1)}`, `\frac{\partial E}{\partial W^{(2)}}`, each with its indices."""
        text = self._whole(symbol, [] if symbol.is_slope and not symbol.is_delta else items)
        if not symbol.is_slope or (symbol.is_delta and symbol.via is None):
            return text
        whole = text if symbol.is_delta else rf"\frac{{\partial E}}{{\partial {text}}}"
        if symbol.via is not None:
            whole = rf"\left.{whole}\right|_{{{self._via(symbol.via)}}}"
        return rf"{{{whole}}}_{{{','.join(items)}}}" if items and not symbol.is_delta else whole

    def _whole(self, symbol: Symbol, items: Sequence[str]) -> str:
        base = r"\delta" if symbol.is_delta else self.letter(symbol.base)
        layer = f"^{{({symbol.layer})}}" if symbol.layer else ""
        below = r";\,".join(filter(None, [symbol.step, ",".join(items)]))
        return base + layer + (f"_{{{below}}}" if below else "")

    def _via(self, via: Symbol) -> str:
        return self._whole(via, []) if via.base else via.step

    def letter(self, name: str) -> str:
        """Return a letter in italics, a word upright."""
        if name == "π":
            return r"\pi"
        if name == "sigma2":
            return r"{\left(\sigma^{2}\right)}"
        if name in GREEK:
            return f"\\{name}"
        return name if len(name) == 1 and name.isascii() else rf"\mathrm{{{escaped(name)}}}"

    def number(self, text: str) -> str:
        """Return a number as it is."""
        return text

    def operator(self, sign: str, left: str, right: str) -> str:
        r"""Return `left \odot right`."""
        return f"{left} {SIGNS.get(sign, sign)} {right}".strip()

    def negative(self, part: str) -> str:
        """Return `-part`."""
        return f"-{part}"

    def fraction(self, above: str, below: str) -> str:
        r"""Return `\frac{above}{below}`."""
        return rf"\frac{{{above}}}{{{below}}}"

    def power(self, base: str, exponent: str) -> str:
        """Return `base^{exponent}`."""
        return f"{base}^{{{exponent}}}"

    def root(self, part: str) -> str:
        r"""Return `\sqrt{part}`."""
        return rf"\sqrt{{{part}}}"

    def transposed(self, part: str) -> str:
        r"""Return `{W}^{\top}`."""
        return rf"{{{part}}}^{{\top}}"

    def function(self, name: str, parts: Sequence[str]) -> str:
        r"""Return `\tanh\left(x\right)`."""
        word = rf"\{name}" if name in KNOWN else r"\sigma" if name == "σ" else rf"\operatorname{{{escaped(name)}}}"
        return word + self.fenced("(", parts, ")")

    def fenced(self, left: str, parts: Sequence[str], right: str) -> str:
        r"""Return `\left(parts\right)`."""
        return f"{FENCES[left]} {', '.join(parts)} {FENCES[right]}"

    def over(self, kind: str, indices: Sequence[str], body: str) -> str:
        r"""Return `\sum_{n,j} body`."""
        word = OVERS.get(kind, rf"\operatorname*{{{kind}}}")
        return f"{word}_{{{','.join(indices)}}} {body}"

    def cases(self, test: str, yes: str, no: str) -> str:
        r"""Return `\begin{cases} … \end{cases}`."""
        return rf"\begin{{cases}} {yes} & \text{{if }} {test} \\ {no} & \text{{otherwise}} \end{{cases}}"

    def equation(self, left: str, sign: str, right: str) -> str:
        r"""Return `left = right`."""
        return f"{left} {SIGNS.get(sign, sign)} {right}"


LATEX = Latex()
