"""All mutants, and what the validator says to each: shared by the tests and by the table of `make_table`."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, partial

from mutation import fast, trained
from mutation.operators import LOOPS, OPERATORS, PROLOGUE, Line, parts_of
from mutation.rules import RULES, Rule, faulty_script, loss_rules
from mutation.shared import shared_losses
from mutation.subjects import BATCH, NETWORKS, ROOT_FILE, SUBJECTS, right_script
from support import as_module

from dotnn_runtime.gradcheck import Report, check_script
from dotnn_runtime.gradcheck.blame.edits import places
from dotnn_runtime.gradcheck.probing.draws import generic_batch_size
from dotnn_runtime.gradcheck.reading.statements import assigned_names, walk_statements

RULE = "rule"
EQUIVALENT = [
    ("tie", r">= 0, 0, d_\w+ \* \w+_z\)", "where z is 0, both values are"),
    ("tie", r"g_dense >= 0, d_g, d_g \* 0\.7", "elu's kink: no convention is documented, either slope would do"),
    (RULE, r"^elu_derivative: np\.where\(z >= 0", "elu's kink: no convention is documented, either slope would do"),
    ("tie", r"p >= 1e-07", "the edge of a clip: no convention is documented, either slope would do"),
    ("shifted_step", r"arranged: s_part = s_parts\[:, k - 1\]", "every step of what repeat_vector makes is the same"),
    (
        "doubled_term",
        r"(image|groups): seen = x\[:, i:i \+ i \+ rows|blocks: seen = .*j:j \+ j \+ columns",
        "behind the second row, or column, of a kernel of two the array ends, and with it the slice that is too long",
    ),
    (
        "doubled_term",
        r"blocks: return d_x\[.*left:left \+ (left|size\[1\]) \+ size\[1\]",
        "where there is no border on the right, the slice that is too long ends where the array does",
    ),
    ("dropped_term", r"top:-bottom|left:-right", "an index below 0 counts from the end"),
    ("tie", r"v >= 0\.1", "a jump: there is no derivative at it"),
    ("lost_minus", r"padded\(x, pad, np\.inf\)", "a border that is larger than all is not the maximum, either"),
    ("one_percent", r"rows = x\.reshape", "the largest element stays the largest"),
    (
        "transposed_kernel",
        r"^d_\w+_by_group = ",
        "a kernel of one channel has one input: its channels are the same row",
    ),
    ("flipped_kernel", r"\(1, kernel\).*\[::-1\]\[0\]", "the image of a sequence has one row"),
    (
        "swapped_branches",
        r"np\.where\((?:np\.tri|.*r_seen).*, (d_\w+), \1\)",
        "softmax sends nothing to a masked score",
    ),
    ("lost_mask", r"^d_\w*scores = d_\w*(masked|causal)$", "softmax sends nothing to a masked score"),
    ("wrong_inner_sign", r"\(t - 1\) % 2", "every second step: counted from the one before or behind, the same"),
    ("wrong_constant", r"1\.1e-07", "differs for probabilities between 1e-7 and 1.1e-7 alone"),
    ("trained_another_number", r"reshape\(-2", "of an array's sizes any negative one is the one that is left"),
    ("trained_another_number", r"1\.25e-09", "differs for shares this close to a whole number of examples alone"),
    ("trained_another_sign", r"exact - 1e-09", "a whole share that loses one example is the first to get one back"),
]
"""Mutants that compute the same, or differ only where nothing is promised: operator, pattern of the change, reason."""

AMBIGUOUS = {
    (
        "shared", "d_distance_from_p_multiply = d_p_multiply * distance + d_p_multiply * distance"
    ): "d_distance",  # in e + e, where e is the same for both factors: is e doubled, or the sum?
}  # fmt: skip
"""Mutants that two lines could have caused: the other one."""

SPOILT = ("fast_skipped", fast.STALE)
"""Where a sum is never made, one of its terms is blamed."""
EMPTY = re.compile(r"np\.(zeros|empty)")
"""A new array of zeros: there is nothing in it that a mistake could change."""
OUTER = ("d_y_W", "d_y_b", "d_x")
"""The lines around a loss: they are the same in all networks of losses, and attacked in the others."""
SAME_SIZES = ("wrong_operand",)
"""Operators that only make sense where all sizes are equal."""


@dataclass(frozen=True)
class Mutant:
    """A faulty script: where it comes from, what was done to it, and which names and lines may be blamed."""

    subject: str
    operator: str
    change: str
    source: str
    names: tuple[str, ...]
    lines: tuple[int, ...] = ()
    beside: trained.Subject | None = None

    def check(self, *, v4: bool = True) -> Report:
        """Hand it to the validator, a mistake in what is trained beside the spec; `v4`: element by element, too."""
        if self.beside is not None:
            return self.beside.check(self.source, self.operator)
        with shared_losses():
            return check_script(self.source, f"{self.subject}.py", batch_size=BATCH.get(self.subject), v4=v4)

    @property
    def id(self) -> tuple[str, str]:
        """What identifies a mutant in the table of equivalent ones."""
        return self.subject, self.change


def equivalent(mutant: Mutant) -> str:
    """Why a mutant cannot be caught, "" where it must be."""
    texts = mutant.change, f"{mutant.subject}: {mutant.change}"
    known = (entry for entry in EQUIVALENT if entry[0] == mutant.operator)
    return next((reason for _, pattern, reason in known if any(re.search(pattern, text) for text in texts)), "")


@dataclass(frozen=True)
class Row:
    """What the validator said to a mutant."""

    mutant: Mutant
    verdict: str
    blamed: str
    line: int
    pattern: str
    words: str = ""

    @property
    def caught(self) -> bool:
        """Whether it was found to be wrong."""
        return self.verdict == "FAIL"

    @property
    def equivalent(self) -> bool:
        """Whether it computes the same."""
        same_step = self.mutant.operator.startswith("fast_") and not self.mutant.names and not self.mutant.lines
        return bool(same_step or equivalent(self.mutant))

    @property
    def right(self) -> bool:
        """Whether the validator's answer is what it should be."""
        if self.equivalent:
            return self.verdict == "PASS"
        return self.caught and (self.blamed_right or self.mutant.names == (fast.LOSS,))

    @property
    def blamed_right(self) -> bool:
        """Whether the blame is on what was changed, or says that it may be: a step that belongs to no value."""
        if self.blamed == AMBIGUOUS.get(self.mutant.id):
            return True
        if not self.mutant.names:
            return self.line in self.mutant.lines
        named = self.blamed in self.mutant.names and (not self.mutant.lines or self.line in self.mutant.lines)
        edge = any(
            self.blamed.startswith(f"{name}_from_") for name in self.mutant.names if self.mutant.operator in SPOILT
        )
        missing = re.fullmatch(r"accumulation: (\w+) missing", self.pattern)
        left_out = missing and any(name.endswith(f"_from_{missing[1]}") for name in self.mutant.names)
        doubted = any(f"{name} in line " in self.words for name in self.mutant.names)
        return bool(named or edge or left_out or doubted)

    @property
    def missed(self) -> bool:
        """Whether it was not found to be wrong, though it is."""
        return self.verdict != "PASS" if self.equivalent else not self.caught

    def __str__(self) -> str:
        m = self.mutant
        where = f"{self.blamed or 'nothing'}, line {self.line} ({self.pattern})"
        expected = f"expected: {', '.join(m.names)} {m.lines or ''}"
        return f"{m.subject}/{m.operator}: {m.change!r} is {self.verdict}, blamed: {where}, {expected}"


def run(mutant: Mutant, *, v4: bool = True) -> Row:
    """Hand a mutant to the validator."""
    report = mutant.check(v4=v4)
    blame = report.blame
    if blame is None:
        return Row(mutant, str(report.verdict), "", 0, "")
    return Row(mutant, str(report.verdict), blame.name, blame.line, blame.pattern, blame.words)


# ------------------------------------------------------------------------------------------------ mutants of lines


@dataclass(frozen=True)
class _Scene:
    """A script taken apart: its text, the functions of the backward pass, the values of the cache, and how many
    examples the validator takes first.
    """

    lines: list[str]
    functions: dict[str, ast.FunctionDef]
    cached: tuple[str, ...]
    batch: int


@cache
def _scene(subject: str) -> _Scene:
    source = right_script(subject)
    functions = {f.name: f for f in ast.parse(source).body if isinstance(f, ast.FunctionDef)}
    cached = tuple(dict.fromkeys(_cached(functions["forward"])))
    module = as_module(source, ROOT_FILE)
    shapes = [*module.PARAMS.values(), *(shape for _, shape in module.INPUTS.values())]
    batch = BATCH.get(subject) or generic_batch_size(shapes)
    return _Scene(source.splitlines(), functions, cached, batch)


def _cached(forward: ast.FunctionDef) -> Iterator[str]:
    """Yield the keys under which `forward` keeps values in its cache."""
    for node in ast.walk(forward):
        kept = node.value if isinstance(node, ast.AugAssign) else None
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            kept = node.value.elts[1]
        if isinstance(kept, ast.BinOp):  # those of layers, and its own: cache | {…}
            kept = kept.right
        if isinstance(kept, ast.Dict):
            yield from (key.value for key in kept.keys if isinstance(key, ast.Constant))


@cache
def line_mutants(subject: str) -> tuple[Mutant, ...]:
    """Every faulty version of every line of `backward`, and of the helpers that are slopes; no text comes twice."""
    scene = _scene(subject)
    found: list[Mutant] = []
    for name, function in scene.functions.items():
        if name == "backward" or name.endswith("_backward"):
            found += _function_mutants(subject, scene, function)
    forward = {name for part in ("forward", "total_loss") for name in _called(scene.functions[part], scene.functions)}
    slopes = {n for n in _called(scene.functions["backward"], scene.functions) if not n.endswith("_backward")}
    for helper in sorted(slopes - forward):
        found += _helper_mutants(subject, scene, scene.functions[helper])
    return tuple(found)


def _function_mutants(subject: str, scene: _Scene, function: ast.FunctionDef) -> Iterator[Mutant]:
    """Yield the mutants of the lines of `backward`, or of the way back through a block or a layer."""
    known: list[str] = []
    body = function.body
    loops = [node for node in body if isinstance(node, ast.For)]
    starts = {name for loop in loops for n in walk_statements(loop.body) for name in assigned_names(n)}
    for node in body:
        if isinstance(node, ast.Assign) and (name := ast.unparse(node.targets[0])).startswith(("d_", "grads[")):
            known += [name] if name.startswith("d_") else []
            if (subject not in NETWORKS and name in OUTER) or EMPTY.search(ast.unparse(node.value)) or name in starts:
                continue
            before = tuple(k for k in known if k != name)
            line = Line(name, node.value, scene.cached, before, (), scene.batch)
            yield from _mutants_of(subject, scene, node, line, (), _own(node), f"{name} = ")
        elif isinstance(node, ast.For):
            yield from _mutants_in_loop(subject, scene, node)


def _own(node: ast.stmt) -> tuple[int, ...]:
    """Return the lines of a statement."""
    return tuple(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _mutants_in_loop(subject: str, scene: _Scene, loop: ast.For) -> Iterator[Mutant]:
    """Yield the mutants of the lines of a loop over time, of the loop itself, and of the loops within it.

    Where steps are computed again, the lines that do so are lines of the way back, too.
    """
    targets = [ast.unparse(t) for n in loop.body if isinstance(n, ast.Assign) for t in parts_of(n.targets[0])]
    steps = tuple(name for name in targets if not name.startswith("d_") and name.isidentifier())
    for node in loop.body:
        if isinstance(node, ast.For):
            yield from _mutants_in_loop(subject, scene, node)
        elif isinstance(node, ast.Assign | ast.AugAssign) and _computes(node):
            name, sign = _start(node).split(" ")[:2]
            line = Line(name, node.value, (), (), steps, scene.batch)
            yield from _mutants_of(subject, scene, node, line, (), _own(node), f"{name} {sign} ")
    for operator, change in LOOPS.items():
        for number, text, spoilt in change(loop, scene.lines):
            lines = [*scene.lines]
            indent = " " * (len(lines[number - 1]) - len(lines[number - 1].lstrip()))
            lines[number - 1] = indent + text
            places = _first_readers(loop, spoilt) or tuple(range(loop.lineno, (loop.end_lineno or 0) + 1))
            yield Mutant(subject, operator, text.partition("  #")[0], "\n".join(lines) + PROLOGUE, (), places)


def _computes(node: ast.Assign | ast.AugAssign) -> bool:
    """Whether a line of a loop makes a value of its own: what only hands one on is attacked as part of the loop."""
    target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
    if not isinstance(target, ast.Name) or EMPTY.match(ast.unparse(node.value)):
        return False
    handed = (ast.Name,) if target.id.startswith("d_") else (ast.Name, ast.Subscript, ast.List)
    return not isinstance(node.value, handed)


def _first_readers(loop: ast.For, names: set[str]) -> tuple[int, ...]:
    """The lines of a loop that assign or read one of these names."""
    lines = [n for n in walk_statements(loop.body) if not isinstance(n, ast.For)]
    return tuple(n.lineno for n in lines if names & {part.id for part in ast.walk(n) if isinstance(part, ast.Name)})


def _helper_mutants(subject: str, scene: _Scene, function: ast.FunctionDef) -> Iterator[Mutant]:
    """Yield the mutants of a slope; its line is to blame, or one of those that call it."""
    ways = [f for name, f in scene.functions.items() if name == "backward" or name.endswith("_backward")]
    lines = [n for way in ways for n in walk_statements(way.body) if isinstance(n, ast.Assign)]
    callers = [n for n in lines if function.name in _called(n, scene.functions)]
    numbers = tuple(number for n in callers for number in _own(n))
    for node in ast.walk(function) if callers else ():
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Return) and not EMPTY.search(ast.unparse(node)):
            start = _start(node)
            line = Line("", node.value, batch=scene.batch)
            found = _mutants_of(subject, scene, node, line, (), (*_own(node), *numbers), start)
            yield from (m for m in found if m.operator != "one_element")  # which may not reach the gradient


def _start(node: ast.Assign | ast.AugAssign | ast.Return) -> str:
    """Return what stands before the right side of a statement."""
    if isinstance(node, ast.Return):
        return "return "
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return f"{ast.unparse(target)} {'+=' if isinstance(node, ast.AugAssign) else '='} "


def _called(node: ast.AST, functions: Mapping[str, ast.FunctionDef]) -> set[str]:
    """Return the functions of the script that a statement calls, and those that these call."""
    found = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} & set(functions)
    return found.union(*(_called(functions[name], functions) for name in found))


def _mutants_of(subject, scene, node, line, names, numbers, start) -> Iterator[Mutant]:
    seen = {ast.unparse(line.value)}
    for operator, value in _versions(line):
        text = ast.unparse(value)
        if text in seen or (operator in SAME_SIZES and subject not in BATCH):
            continue
        seen.add(text)
        lines = [*scene.lines]
        lines[node.lineno - 1 : node.end_lineno] = [f"{' ' * node.col_offset}{start}{text}"]
        lines += [""] * (node.end_lineno - node.lineno)
        yield Mutant(subject, operator, start + text, "\n".join(lines) + PROLOGUE, names, numbers)


def _versions(line: Line) -> Iterator[tuple[str, ast.expr]]:
    for name, operator in OPERATORS.part.items():
        for node, rebuilt in places(line.value):
            yield from ((name, rebuilt(new)) for new in operator(node, line))
    for name, operator in OPERATORS.whole.items():
        for new in operator(line.value, line):
            yield name, new


# ------------------------------------------------------------------------------------------------ mutants of rules


def rule_mutant(rule: Rule, subject: str) -> Mutant:
    """The script of a network compiled with a faulty rule; what differs from the right one may be blamed."""
    source = faulty_script(rule, subject)
    before, after = right_script(subject).splitlines(), source.splitlines()
    edits = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changed = [n for tag, _, _, a, b in edits if tag != "equal" for n in range(a + 1, max(b, a + 1) + 1)]
    assert changed, f"{rule.op}: {rule.change} changes nothing in {subject}"
    statements = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Assign | ast.AugAssign | ast.Return))
    changed += [n.lineno for n in statements if set(_own(n)) & {*changed}]  # a statement begins with its first line
    return Mutant(subject, RULE, f"{rule.op}: {rule.change}", source, (), tuple(changed))


# --------------------------------------------------------------------------------------- mutants of the fast style


@cache
def faulty_steps(subject: str) -> tuple[fast.FaultyStep, ...]:
    """Every faulty version of the backward half of a fast step."""
    return tuple(fast.faulty_steps(subject))


def fast_mutant(step: fast.FaultyStep, subject: str) -> Mutant:
    """A faulty step as a mutant; what may be blamed is found by running it beside the right one."""
    try:
        names = fast.to_blame(step.source, subject)
    except (ValueError, TypeError):  # it stops: the very line is to blame
        return Mutant(
            subject, step.operator, step.change, step.source, (), (step.line, step.line + 1)
        )  # of two statements, the second may stop
    spoilt = tuple(sorted(step.readers)) if names and names != (fast.LOSS,) else ()
    return Mutant(subject, step.operator, step.change, step.source, names + spoilt)


# -------------------------------------------------------------------------------------------------------- summary


SAMPLE = 4
"""How many mutants of a kind are run where not all of them are: in minutes, not in half an hour."""

Maker = Callable[[], Mutant]
"""A mutant to be made when it is run: the compiler works while its rule is faulty."""


@dataclass(frozen=True)
class Group:
    """Mutants of one kind: a line of the table."""

    name: str
    doc: str
    makers: Callable[[], list[Maker]]
    sample: int = SAMPLE

    @property
    def title(self) -> str:
        """Its name as the documentation shows it."""
        return self.name.replace("fast_", "fast: ").replace("trained_", "training: ").replace("_", " ")


def groups() -> dict[str, Group]:
    """All kinds of mutants: of the lines of scripts, of the compiler's rules, of the fast style."""
    found = [Group(name, _doc(f), partial(_lines, name)) for name, f in (OPERATORS.all | LOOPS).items()]
    ops = dict.fromkeys(rule.op for rule in [*RULES, *loss_rules()])
    found += [Group(f"{RULE} {op}", "", partial(_rules, op)) for op in ops]
    docs = {name: _doc(f) for name, f in fast.OPERATORS.items()} | {fast.STALE: fast.STALE_DOC}
    found += [Group(name, doc, partial(_steps, name)) for name, doc in docs.items()]
    found += [Group(name, _doc(f), partial(_trained, name)) for name, f in trained.OPERATORS.items()]
    return {group.name: group for group in found}


def _doc(function: Callable[..., object]) -> str:
    return re.sub(r"\s+", " ", function.__doc__ or "")


def _lines(operator: str) -> list[Maker]:
    mutants = (mutant for subject in SUBJECTS for mutant in line_mutants(subject) if mutant.operator == operator)
    return [lambda mutant=mutant: mutant for mutant in mutants]


def _rules(op: str) -> list[Maker]:
    chosen = [rule for rule in [*RULES, *loss_rules()] if rule.op == op]
    return [partial(rule_mutant, rule, subject) for rule in chosen for subject in rule.subjects]


def _steps(operator: str) -> list[Maker]:
    steps = ((step, subject) for subject in fast.SUBJECTS for step in faulty_steps(subject))
    return [partial(fast_mutant, step, subject) for step, subject in steps if step.operator == operator]


def _trained(operator: str) -> list[Maker]:
    found = (
        Mutant(f"{m.subject.name}, {m.subject.style}", operator, m.change, m.source, (), (m.line,), m.subject)
        for m in trained.mistakes()
        if m.operator == operator
    )
    return [lambda mutant=mutant: mutant for mutant in found]


@dataclass(frozen=True)
class Result:
    """What became of a kind of mutants."""

    group: Group
    rows: tuple[Row, ...]
    total: int

    @property
    def wrong(self) -> list[str]:
        """The mutants that are not as they should be."""
        return [str(row) for row in self.rows if not row.right]

    @property
    def missed(self) -> list[str]:
        """The mutants that pass, and the equivalent ones that do not."""
        return [str(row) for row in self.rows if row.missed]

    def table_row(self) -> str:
        """Return the line of the table, with one mutant as an example."""
        mutants = [row for row in self.rows if not row.equivalent]
        same = len(self.rows) - len(mutants)
        forward = sum(row.mutant.names == (fast.LOSS,) for row in mutants)
        example = next((row for row in mutants if row.blamed), mutants[0])
        m = example.mutant
        cells = [
            f"**{self.group.title}**" + (f": {self.group.doc}" if self.group.doc else ""),
            str(self.total),
            str(len(self.rows)),
            str(sum(row.caught for row in mutants)),
            str(sum(row.right for row in mutants) - forward),
            str(same or ""),
            f"`{m.subject}`: `{m.change}`",
            f"{example.verdict}, `{example.blamed}`: {example.pattern}",
        ]
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def run_group(group: Group, most: int = 0) -> Result:
    """Hand the mutants of a kind to the validator: all of them, or `most`, spread evenly.

    Those are to be found without V4, too: what it would find alone, the probes of whole tensors have missed.
    """
    makers = group.makers()
    total = len(makers)
    if most and len(makers) > most:
        makers = [makers[i * len(makers) // most] for i in range(most)]
    return Result(group, tuple(run(make(), v4=not most) for make in makers), total)


HEAD = ("mistake", "mutants", "tried", "caught", "blamed", "same", "for example", "the answer")


def table(rows: Iterable[str]) -> str:
    """Return everything in one table, and the equivalent ones below."""
    head = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    same = ["| the same because | mistake |", "|---|---|"]
    same += [f"| {reason} | {operator.replace('_', ' ')} |" for operator, _, reason in EQUIVALENT]
    return "\n".join([*head, *rows, "", *same])
