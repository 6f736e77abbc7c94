"""Mathematics in MathML Core, which browsers show without a script or a font of ours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dotnn.ir.maths.plain import GREEK
from dotnn.ir.maths.symbol import Symbol

STEPS = {"-": "−"}
TIMES = '<mo lspace="0" rspace="0.17em">\u2062</mo>'


def _row(*parts: str) -> str:
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"


def _sign(text: str) -> str:
    return f"<mo>{escape(text)}</mo>"


def _separated(parts: Sequence[str]) -> str:
    return _row(*[piece for i, part in enumerate(parts) for piece in ([_sign(",")] if i else []) + [part]])


class MathMl:
    """The elements inside of `<math>`."""

    is_linear = False

    def symbol(self, symbol: Symbol, items: Sequence[str]) -> str:
        """Return a symbol with the number of its layer above, steps and indices below."""
        text = self._whole(symbol, [] if symbol.is_slope and not symbol.is_delta else items)
        if not symbol.is_slope or (symbol.is_delta and symbol.via is None):
            return text
        partial = "<mi>∂</mi>"
        whole = text if symbol.is_delta else self.fraction(_row(partial, "<mi>E</mi>"), _row(partial, text))
        if symbol.via is not None:
            whole = f"<msub>{_row(whole, _sign('|'))}{self._via(symbol.via)}</msub>"
        return f"<msub>{_row(whole)}{_separated(items)}</msub>" if items and not symbol.is_delta else whole

    def _whole(self, symbol: Symbol, items: Sequence[str]) -> str:
        base = "<mi>δ</mi>" if symbol.is_delta else self.letter(symbol.base)
        above = f"<mrow>{_sign('(')}<mn>{symbol.layer}</mn>{_sign(')')}</mrow>" if symbol.layer else ""
        below = [*([self._step(symbol.step)] if symbol.step else []), *items]
        if above and below:
            return f"<msubsup>{base}{_separated(below)}{above}</msubsup>"
        if above:
            return f"<msup>{base}{above}</msup>"
        return f"<msub>{base}{_separated(below)}</msub>" if below else base

    def _step(self, step: str) -> str:
        letter = f"<mi>{step[0]}</mi>"
        if len(step) == 1:
            return letter
        return _row(letter, _sign(STEPS.get(step[1], step[1])), f"<mn>{step[2:]}</mn>")

    def _via(self, via: Symbol) -> str:
        return self._whole(via, []) if via.base else self._step(via.step)

    def letter(self, name: str) -> str:
        """Return a letter, or a word upright."""
        if name == "sigma2":
            return f"<mrow>{_sign('(')}<msup><mi>σ</mi><mn>2</mn></msup>{_sign(')')}</mrow>"
        return f"<mi>{escape(GREEK.get(name, name))}</mi>"

    def number(self, text: str) -> str:
        """Return a number."""
        return f"<mn>{escape(text)}</mn>"

    def operator(self, sign: str, left: str, right: str) -> str:
        """Return two parts with a sign between them; that of a product of numbers is a narrow space."""
        return _row(*filter(None, [left, _sign(sign) if sign else TIMES, right]))

    def negative(self, part: str) -> str:
        """Return -part."""
        return _row(_sign("−"), part)

    def fraction(self, above: str, below: str) -> str:
        """Return a quotient."""
        return f"<mfrac>{above}{below}</mfrac>"

    def power(self, base: str, exponent: str) -> str:
        """Return a power."""
        return f"<msup>{base}{exponent}</msup>"

    def root(self, part: str) -> str:
        """Return a square root."""
        return f"<msqrt>{part}</msqrt>"

    def transposed(self, part: str) -> str:
        """Return a transposed matrix."""
        return f"<msup>{part}<mo>⊤</mo></msup>"

    def function(self, name: str, parts: Sequence[str]) -> str:
        """Return the value of a function."""
        return _row(f"<mi>{escape(name)}</mi>", _sign("\u2061"), self.fenced("(", parts, ")"))

    def fenced(self, left: str, parts: Sequence[str], right: str) -> str:
        """Return parts between brackets."""
        return f"<mrow>{_sign(left)}{_separated(parts)}{_sign(right)}</mrow>"

    def over(self, kind: str, indices: Sequence[str], body: str) -> str:
        """Return a sum or the like with its indices under it."""
        word = "<mo>∑</mo>" if kind == "Σ" else f"<mo>{kind}</mo>"
        return _row(f"<munder>{word}{_separated(indices)}</munder>", body)

    def cases(self, test: str, yes: str, no: str) -> str:
        """Return two rows behind a brace."""
        rows = [(yes, _row("<mtext>if&#160;</mtext>", test)), (no, "<mtext>otherwise</mtext>")]
        cells = "".join(f"<mtr><mtd>{value}</mtd><mtd>{when}</mtd></mtr>" for value, when in rows)
        return f"<mrow>{_sign('{')}<mtable>{cells}</mtable></mrow>"

    def equation(self, left: str, sign: str, right: str) -> str:
        """Return a whole formula."""
        return f'<math display="block">{_row(left, _sign(sign), right)}</math>'


MATHML = MathMl()
