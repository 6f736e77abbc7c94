"""The parts of a page about a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from dotnn.codegen.stopping import waited, which_ended
from dotnn.model.model import EarlyStop, Model, Train
from dotnn.reports.data_summary import Balance, Column
from dotnn.reports.diagnosis import HEADS, LEGEND, Sign, cells, vital_signs
from dotnn.reports.diagram.boxes import diagram_of
from dotnn.reports.diagram.svg import svg_of
from dotnn.reports.equations.derivation import Derivation
from dotnn.reports.equations.html import equations_html
from dotnn.reports.figures import LESS_IS_BETTER, WORDS, number
from dotnn.reports.findings import FINDINGS, Fault
from dotnn.reports.findings.constant_guess import commonest
from dotnn.reports.page.document import PagePart
from dotnn.reports.page.markup import bullets, code, folded, heading, paragraph, picture, said_of, section, table
from dotnn.reports.pictures import PICTURES
from dotnn.reports.seen import Classes, Comparison, Layer, Seen
from dotnn_runtime.merit.weights import weights_of


def summary_of(model: Model, result: Mapping[str, Any]) -> str:
    """Return how a run ended, and a table of the loss and each metric, a row for each part of the data."""
    plural = "s" * (result.get("epochs") != 1)
    ended = _ended(str(result.get("stopped_by")), model.train)
    said = (
        f"{model.size:,} parameters, {result.get('epochs')} epoch{plural}; {ended}"
        f"the weights kept are those of epoch {result.get('best_epoch')}."
    )
    reached = {"loss": result.get("loss"), "val_loss": result.get("val_loss"), **(result.get("metrics") or {})}
    rows = {
        part: {n.removeprefix(p): v for n, v in reached.items() if _part_of(n) == p} for part, p in PREFIXES.items()
    }
    names = [*dict.fromkeys(name for row in rows.values() for name in row)]
    cells_of = [
        (part, *(_blank(row.get(name)) for name in names)) for part, row in rows.items() if {*row.values()} - {None}
    ]
    return paragraph(said) + table(("part", *names), cells_of, "Loss and metrics of each part")


PREFIXES = {"train": "", "validation": "val_", "test": "test_"}
"""How the names of what was reached on each part of the data begin in `metrics.json`."""


def _part_of(name: str) -> str:
    return next(prefix for prefix in reversed(PREFIXES.values()) if name.startswith(prefix))


def _ended(stopped_by: str, train: Train) -> str:
    """Return why a training ended early, "" where it did not."""
    rule = which_ended(stopped_by, train)
    if isinstance(rule, EarlyStop):
        return f"stopped early: {rule.quantity} had not improved for {waited(rule, train)}; "
    return "" if stopped_by == "epochs" else f"stopped early: {stopped_by}; "


def summary_of_all(model: Model, result: Mapping[str, Any]) -> str:
    """Return an ensemble in a sentence or two."""
    reached = ", ".join(f"{name} {number(value)}" for name, value in (result.get("metrics") or {}).items())
    return paragraph(f"Members of {model.size:,} parameters each. {reached}.")


def member_of(seen: Seen) -> str:
    """Return what a member of an ensemble is called in it: the last part of the name of its run."""
    return seen.name.rpartition("/")[2]


def verdict_of_all(seen: Sequence[Seen], faults: Sequence[Sequence[Fault]]) -> tuple[str, str]:
    """Return in a sentence in which members of an ensemble something is wrong; its kind."""
    wrong = [member_of(one) for one, found in zip(seen, faults, strict=True) if not all(fault.minor for fault in found)]
    if not wrong:
        return f"No fault found in any member ({len(FINDINGS)} checks).", "good"
    return f"Something is wrong with {len(wrong)} of {len(seen)} members, see there: {', '.join(wrong)}.", "bad"


def verdict_of(seen: Seen, faults: Sequence[Fault]) -> tuple[str, str]:
    """Return in a sentence whether anything is wrong with a run, and what a constant guess would reach; its kind."""
    guesses = [
        f"always guessing {label}, the commonest in training, gives an accuracy of {said}"
        for one in seen.compared
        for said, label in _guess(one, seen)
    ]
    said = ", ".join(guesses)
    beside = f" {said[0].upper()}{said[1:]}." if said else ""
    if not faults:
        return f"No fault found ({len(FINDINGS)} checks).{beside}", "good"
    more = f" (and {len(faults) - 1} more, see the diagnosis)" if len(faults) > 1 else ""
    end = "" if faults[0].message.endswith("?") and not more else "."
    grade, kind = ("One thing to look at", "good") if faults[0].minor else ("Something is wrong", "bad")
    return f"{grade}: {faults[0].message}{more}{end} Fix: {faults[0].fix}.{beside}", kind


def _guess(one: Comparison, seen: Seen) -> Iterator[tuple[str, str]]:
    if isinstance(one, Classes) and len(one.actual):
        counts = np.bincount(one.actual.astype(int), weights_of(one.weights, len(one.actual)), len(one.labels))
        guess = commonest(one, seen)
        yield number(float(counts[guess] / counts.sum())), one.labels[guess]


def spec_part(texts: Mapping[str, str], sets: Sequence[str]) -> PagePart:
    """Return the spec, with the files that it uses, each line with its number."""
    pieces = [paragraph(f"with --set {' --set '.join(sets)}", "quiet")] if sets else []
    for name, text in texts.items():
        lines = text.rstrip().split("\n")
        numbered = "\n".join(f"{i:>{len(str(len(lines)))}}  {line}" for i, line in enumerate(lines, 1))
        pieces += [heading(name)] * (len(texts) > 1) + [code(numbered, f"The text of {name}")]
    return PagePart("spec", "The spec", section("spec", "The spec", *pieces))


def network_part(model: Model) -> PagePart:
    """Return the network as a picture."""
    drawn = picture(svg_of(diagram_of(model, unfold=False)), "network-picture", "network")
    left_out = section("network", "The network", paragraph("The picture is too large for this page: dotnn graph SPEC."))
    return PagePart("network", "The network", section("network", "The network", drawn), len(drawn), left_out)


def data_part(
    model: Model, columns: Sequence[Column], sizes: Mapping[str, int], balances: Iterable[Balance]
) -> PagePart:
    """Return how many examples there are, of each class in each part, and what is in each column as it came."""
    counts = ", ".join(f"{count} for {part}" for part, count in sizes.items())
    ways = {name: some for name, some in (model.data.prepared if model.data else {}).items() if some}
    done = [f"{name}: {', '.join(map(str, some))}" for name, some in ways.items()]
    heads = ("column", "kind", "count", "missing", "min", "mean", "max", "std")
    rows = [
        (c.name, c.kind, str(c.count), str(c.missing), *(_blank(v) for v in (c.least, c.mean, c.most, c.deviation)))
        for c in columns
    ]
    classes = [f"{c.name}: {c.said}" for c in columns if c.said]
    pieces = [
        paragraph(f"Examples: {counts}."),
        table(heads, rows, "The columns of the data"),
        bullets(classes),
        *(text for balance in balances for text in _balance(balance)),
        paragraph(f"{PREPARED}: {'; '.join(done)}." if done else "Nothing is scaled, filled or encoded."),
    ]
    return PagePart("data", "The data", section("data", "The data", *pieces))


PREPARED = "Preprocessing, fitted on the training part, applied to all"


def _balance(found: Balance) -> Iterator[str]:
    """Yield the table of the classes of a target in each part, with their shares."""
    totals = [sum(counts) for counts in zip(*(row for _, row in found.rows), strict=True)]
    shares = [
        (called, *(f"{count} ({count / max(total, 1):.0%})" for count, total in zip(row, totals, strict=True)))
        for called, row in found.rows
    ]
    yield heading(f"The classes of {found.target}")
    yield table(("class", *found.parts), shares, f"Examples of each class of {found.target}")


def _blank(value: float | None) -> str:
    return "–" if value is None else number(value)


def figures_part(found: Mapping[str, Any]) -> PagePart:
    """Return the figures of merit with their intervals."""
    title = f"{found['part'].partition(' part')[0].capitalize()} results"
    members = found.get("members", [])
    own = {**({} if members else {"loss": found["loss"]}), **found["metrics"]}  # together they have no loss
    said = ", ".join(f"{name} {number(value)}" for name, value in own.items())
    pieces = [paragraph(f"Of the {found['part']}, {found['examples']} examples: {said}.")]
    if members:
        rows = [(f"member{k}", *map(number, one.values())) for k, one in enumerate(members, 1)]
        pieces += [heading("Each member alone"), table(("member", *members[0]), rows, "Figures of each member")]
    pieces += [text for output in found["outputs"] for text in _output(output)]
    return PagePart("figures", title, section("figures", title, *pieces))


def _output(output: Mapping[str, Any]) -> Iterator[str]:
    """Yield the figures of one output against its target, and those of each class."""
    intervals = output.get("intervals", {})
    rows = [(WORDS[name], number(value), _ends(intervals.get(name))) for name, value in output["figures"].items()]
    called = f"{output['output']} against {output['target']}"
    missing = " –: for this figure no interval is computed." if any(row[2] == "–" for row in rows) else ""
    yield heading(called)
    yield table(("figure", "value", "95% interval"), rows, f"Figures of {called}")
    yield paragraph(f"{_better(output['figures'])}{missing}", "quiet")
    if output["kind"] == "classes":
        heads = ("class", "examples", "precision", "recall", "F1", "ROC AUC")
        keys = ("examples", "precision", "recall", "f1", "roc_auc")
        each = [(str(c["class"]), *(number(c[k]) for k in keys)) for c in output["classes"]]
        yield table(heads, each, f"Classes of {called}")


def _better(figures: Mapping[str, Any]) -> str:
    """Return for which figures a lower value is better, for which a higher one."""
    less = [WORDS[name] for name in LESS_IS_BETTER if name in figures]
    if not less:
        return "Higher is better."
    return f"Lower is better for {', '.join(less)}" + ("." if len(less) == len(figures) else "; higher for the rest.")


def _ends(interval: Sequence[float] | None) -> str:
    """Return an interval to two digits of its width: more of them say nothing."""
    if not interval:
        return "–"
    low, high = interval
    places = 1 - math.floor(math.log10(high - low)) if high > low else 0
    if not 0 < places < 6:
        return f"{number(low)} to {number(high)}"
    return f"{low:.{places}f} to {high:.{places}f}"


def diagnosis_part(seen: Seen, faults: Sequence[Fault], member: str = "") -> PagePart:
    """Return what is wrong, and the signs of life of every layer; of one `member` of an ensemble."""
    rows = [_signs(seen, layer, sign) for layer, sign in zip(seen.trained.layers, vital_signs(seen), strict=True)]
    items = "".join(
        f'<li><span class="bad">{escape(fault.message)}</span> ({escape(fault.place)})<br />'
        f"fix: {escape(fault.fix)}</li>"
        for fault in faults
    )
    found = (
        f'<ol class="findings">{items}</ol>'
        if faults
        else paragraph(f"No fault found ({len(FINDINGS)} checks).", "good")
    )
    pieces = [
        found,
        folded(f"The {len(FINDINGS)} checks", bullets(finding.doc for finding in FINDINGS.values())),
        table(HEADS, rows, "Signs of every layer"),
        paragraph(LEGEND + UNKNOWN, "quiet"),
    ]
    name, title = _called("diagnosis", "Diagnosis", member)
    return PagePart(name, title, section(name, title, *pieces))


UNKNOWN = (
    " –: not known of this run, or not defined: silent and flat are of an activation that acts on each unit alone, the "
    "first update is of weights that are not all 0."
)


def _signs(seen: Seen, layer: Layer, sign: Sign) -> tuple[str, ...]:
    """Return the cells of a layer; silent or flat are no units that are computed together, as those of softmax."""
    name, silent, flat, *others = cells(sign)
    node = seen.trained.node_of(layer)
    if layer.z is not None and node is not None and not node.rule.elementwise:
        silent = flat = "–"
    return (name, silent, flat, *(cell or "–" for cell in others))


def _called(name: str, title: str, member: str) -> tuple[str, str]:
    """Return the id and the title of a part, which may be of one member of an ensemble."""
    return (f"{name}-{member}", f"{title}: {member}") if member else (name, title)


def picture_parts(seen: Seen, some: Sequence[str] = tuple(PICTURES), member: str = "") -> Iterator[PagePart]:
    """Yield a part for each of some pictures that the run has; of one `member` of an ensemble."""
    for name in sorted(some, key=_place):
        svg = PICTURES[name].draw(seen)
        if svg:
            place, title = _called(name, PICTURES[name].heading, member)
            drawn = picture(svg, f"{place}-picture", "chart")
            left_out = paragraph(
                f"The picture is too large for this page: dotnn graph --run {seen.name} --show {name}."
            )
            text = section(place, title, drawn, _caption(said_of(svg)))
            yield PagePart(place, title, text, len(drawn), section(place, title, left_out))


BESIDE = {"initial": "distributions"}
"""Pictures that belong right before another."""


def _place(name: str) -> tuple[bool, str, bool]:
    """Return what pictures are sorted by: the curves are the first, the others by their names."""
    return name != "curves", BESIDE.get(name, name), name not in BESIDE


def _caption(said: str) -> str:
    """Return what a picture says, piece by piece, folded: most of it are numbers that the picture shows."""
    return folded("The same in words", bullets(said.split("; "), "quiet"))


LINES = paragraph("Lines are those of the script that dotnn compile writes for the spec.", "quiet")
RULES = {
    "FE1": "forward equation 1, z = a W + b of the layer before",
    "FE2": "forward equation 2, the activation",
    "BE1": "backward equation 1, δ of the output layer",
    "BE2": "backward equation 2, δ of a layer from that of the layer after it",
    "BE3": "backward equation 3, the gradient of the weights",
    "BE4": "backward equation 4, the gradient of the biases",
}
"""What the rules of equations are called where they are listed."""


def equations_part(derivations: Mapping[str, Derivation]) -> PagePart:
    """Return the equations, folded: of each section of `train` by its name, of one without a name by ""."""
    what = "Forward, the loss, backward, the update"
    text = "\n".join(
        folded(
            f"{what}: {name}" if name else what,
            ("" if name else LINES) + _key(of) + equations_html(of, 4, level=3),
        )
        for name, of in derivations.items()
    )
    left_out = section("equations", "Equations", paragraph("They are too long for this page: dotnn explain SPEC."))
    return PagePart("equations", "Equations", section("equations", "Equations", text), len(text), left_out)


def _key(found: Derivation) -> str:
    """Return what stands below the equations: the rules that occur, and shapes."""
    used = {e.law for part in found.parts for statement in part.statements for e in statement.equations}
    rules = "".join(f" {name}: {said}." for name, said in RULES.items() if name in used)
    return paragraph(f"Below each equation: its rule, and the shape of its result, [] of one number.{rules}", "quiet")


PASSED = "The code computes the derivatives of this loss correctly; this says nothing about whether the network learns."


def verdict_part(verdict: str, rows: Sequence[tuple[str, str, str]]) -> PagePart:
    """Return what `dotnn check` says of the gradients."""
    passed = verdict == "PASS"
    said = paragraph(f"Gradient check: {'passed' if passed else verdict}.", "good" if passed else "bad")
    what = PASSED if passed else "The check compares each gradient of the generated script with a complex step."
    heads = ("gradient", "relative error", "verdict")
    more = folded("Each gradient", table(heads, rows, "Each gradient")) if rows else ""
    return PagePart("gradients", "Gradients", section("gradients", "Gradients", said, paragraph(what, "quiet"), more))


def reproduction_part(facts: Mapping[str, str], command: str) -> PagePart:
    """Return what is needed to train the same again."""
    rows = [(name, value) for name, value in facts.items() if value]
    pieces = [code(command, "The command"), table(("item", "value"), rows, "Versions and digests")]
    return PagePart("again", "How to reproduce it", section("again", "How to reproduce it", *pieces))
