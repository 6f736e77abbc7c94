"""A reader of equations as they are printed: text -> tree. It shares no code with what prints them.

It is given what the symbols mean that stand in the text, and how many axes each value has: a product without a sign is
one of matrices where both have some.
"""

import re

from dotnn.ir.expr import Attribute, Binary, Call, Index, Name, Number, Sequence, Unary
from dotnn.ir.expr.visit import children

ABOVE = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
COMPARISONS = {"<": "<", "≤": "<=", ">": ">", "≥": ">=", "=": "==", "≠": "!="}
CALLED = {"max": "maximum", "min": "minimum", "σ": "sigmoid"}
OVERS = {"Σ": "sum", "max": "max", "min": "min", "mean": "mean", "argmax": "argmax", "argmin": "argmin"}
TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<above>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)|(?P<word>[^\W\d]\w*)|(?P<sign>.))")
STARTS = ("number", "word", "symbol")
OPENERS = ("(", "[", "{", "⌊", "√", "|")


class Reader:
    def __init__(self, symbols, ranks):
        """`symbols` maps texts to names of values, `ranks` those names to numbers of axes."""
        self.symbols, self.ranks = symbols, ranks
        self.known = sorted(symbols, key=len, reverse=True)

    def equation(self, text):
        left, _, right = text.partition(" = ")
        return self.read(left), self.read(right)

    def read(self, text):
        self.touching = []
        self.tokens, self.at, self.bars = [*self.tokenised(text)], 0, 0
        found = self.condition()
        assert self.peek() == ("end", ""), (text, self.tokens[self.at :])
        return found

    def tokenised(self, text):
        at = 0
        while at < len(text.rstrip()):
            space = len(text) - len(text[at:].lstrip())
            self.touching.append(space == at)
            symbol = next(
                (s for s in self.known if text.startswith(s, space) and self.ends(text, space + len(s))), None
            )
            if symbol is not None:
                yield "symbol", symbol
                at = space + len(symbol)
                continue
            found = TOKEN.match(text, at)
            yield found.lastgroup, found[found.lastgroup]
            at = found.end()
        self.touching.append(False)
        yield "end", ""

    def ends(self, text, at):
        return at >= len(text) or not (text[at].isalnum() or text[at] in "_(") or text[at] in "ᵀ"

    def peek(self):
        return self.tokens[self.at]

    def take(self, *wanted):
        text = self.peek()[1]
        if wanted and text not in wanted:
            return None
        self.at += 1
        return text

    def expect(self, text):
        assert self.take(text) is not None, (text, self.tokens[self.at :])

    def condition(self):
        result = self.comparison()
        while (word := self.take("∧", "∨")) is not None:
            result = Binary("and" if word == "∧" else "or", result, self.comparison())
        return result

    def comparison(self):
        if self.take("¬") is not None:
            return Unary("not", self.atom())
        left = self.sum()
        sign = self.take(*COMPARISONS)
        return left if sign is None else Binary(COMPARISONS[sign], left, self.sum())

    def sum(self):
        result = self.term()
        while (sign := self.take("+", "−", "mod")) is not None:
            result = Binary({"−": "-", "mod": "%"}.get(sign, sign), result, self.term())
        return result

    def term(self):
        if self.take("−") is not None:
            return Unary("-", self.term())
        result = self.product()
        return result if self.take("/") is None else Binary("/", result, self.factor())

    def product(self):
        result = self.factor()
        while True:
            sign = self.take("⊙", "·")
            if sign is None and not self.starts():
                return result
            factor = self.factor()
            is_matrix = sign is None and self.rank(result) and self.rank(factor)
            result = Binary("@" if is_matrix else "*", result, factor)

    def starts(self):
        kind, text = self.peek()
        if text in ("if", "otherwise", "mod") or (text == "|" and self.bars):
            return False
        return kind in STARTS or text in OPENERS or text == "Σ"

    def rank(self, expr):
        match expr:
            case Name(name):
                return self.ranks.get(name, 0)
            case Index():
                return 0
            case Call(name) if name.endswith("_over"):
                return 0
        return max((self.rank(part) for part in children(expr)), default=0)

    def factor(self):
        result = self.atom()
        while True:
            kind, text = self.peek()
            if kind == "above":
                self.take()
                number = int(text.translate(ABOVE))
                result = Binary("**", result, Number(number) if number >= 0 else Unary("-", Number(-number)))
            elif text == "ᵀ":
                self.take()
                result = Attribute(result, "T")
            elif text == "^":
                self.take()
                result = Binary("**", result, self.atom())
            else:
                return result

    def atom(self):
        kind, text = self.peek()
        self.at += 1
        if kind == "number":
            return Number(float(text) if "." in text else int(text))
        if kind == "symbol":
            name = Name(self.symbols[text])
            return Index(name, self.items()) if self.peek()[1] == "[" and self.adjoins() else name
        if text == "(":
            parts = [self.condition()]
            while self.take(",") is not None:
                parts.append(self.condition())
            self.expect(")")
            return parts[0] if len(parts) == 1 else Sequence(tuple(parts))
        if text == "[":
            inner = self.condition()
            self.expect("]")
            return inner
        if text == "{":
            return self.cases()
        if text == "|":
            self.bars += 1
            inner = self.sum()
            self.bars -= 1
            self.expect("|")
            return Call("abs", (inner,))
        if text == "⌊":
            inner = self.sum()
            self.expect("⌋")
            return Call("floor", (inner,))
        if text == "√":
            return Call("sqrt", (self.atom(),))
        return self.word(text)

    def adjoins(self):
        """An index stands right behind its symbol, a condition in brackets after a space."""
        return self.tokens[self.at] == ("sign", "[") and self.touching[self.at]

    def items(self):
        self.expect("[")
        items = [self.sum()]
        while self.take(",") is not None:
            items.append(self.sum())
        self.expect("]")
        return tuple(items)

    def cases(self):
        yes = self.sum()
        self.expect("if")
        test = self.condition()
        self.expect(";")
        no = self.sum()
        self.expect("otherwise")
        self.expect("}")
        return Call("where", (test, yes, no))

    def word(self, text):
        if text in OVERS and self.peek()[1] == "[" and self.adjoins():
            letters = self.items()
            return Call(f"{OVERS[text]}_over", (self.product(), *letters))
        if self.peek()[1] == "(" and self.touching[self.at]:
            self.expect("(")
            parts = [self.condition()]
            while self.take(",") is not None:
                parts.append(self.condition())
            self.expect(")")
            return Call(CALLED.get(text, text), tuple(parts))
        return Call({"π": "pi"}.get(text, text)) if text in ("B", "π") else Name(text)
