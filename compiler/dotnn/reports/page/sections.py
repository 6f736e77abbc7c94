"""The parts of a page about a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from dotnn.model.model import Model
from dotnn.reports.data_summary import Balance, Column
from dotnn.reports.diagnosis import HEADS, LEGEND, cells, vital_signs
from dotnn.reports.diagram.boxes import diagram_of
from dotnn.reports.diagram.svg import svg_of
from dotnn.reports.equations.derivation import Derivation
from dotnn.reports.equations.html import equations_html
from dotnn.reports.figures import LESS_IS_BETTER, WORDS, number
from dotnn.reports.findings import FINDINGS, Fault
from dotnn.reports.page.document import PagePart
from dotnn.reports.page.markup import bullets, code, folded, heading, paragraph, picture, said_of, section, table
from dotnn.reports.pictures import PICTURES
from dotnn.reports.seen import Classes, Comparison, Seen
from dotnn_runtime.merit.weights import weights_of


def summary_of(model: Model, result: Mapping[str, Any]) -> str:
    """Return a run in a sentence or two."""
    reached = {"loss": result.get("loss"), "val_loss": result.get("val_loss"), **(result.get("metrics") or {})}
    figures = ", ".join(f"{name} {number(value)}" for name, value in reached.items() if value is not None)
    ended = "" if result.get("stopped_by") == "epochs" else f", ended by: {result.get('stopped_by')}"
    plural = "s" * (result.get("epochs") != 1)
    epochs = (
        f"{result.get('epochs')} epoch{plural}{ended}; the parameters are those of epoch {result.get('best_epoch')}"
    )
    return f"{model.size:,} parameters, {epochs}. {figures}."


def summary_of_all(model: Model, result: Mapping[str, Any]) -> str:
    """Return an ensemble in a sentence or two."""
    reached = ", ".join(f"{name} {number(value)}" for name, value in (result.get("metrics") or {}).items())
    return f"Members of {model.size:,} parameters each. {reached}."


def member_of(seen: Seen) -> str:
    """Return what a member of an ensemble is called in it: the last part of the name of its run."""
    return seen.name.rpartition("/")[2]


def verdict_of_all(seen: Sequence[Seen], faults: Sequence[Sequence[Fault]]) -> tuple[str, str]:
    """Return in a sentence in which members of an ensemble something is wrong; its kind."""
    wrong = [member_of(one) for one, found in zip(seen, faults, strict=True) if found]
    if not wrong:
        return "Nothing was found to be wrong with any member.", "good"
    return f"Something is wrong with {len(wrong)} of {len(seen)} members, see there: {', '.join(wrong)}.", "bad"


def verdict_of(seen: Seen, faults: Sequence[Fault]) -> tuple[str, str]:
    """Return in a sentence whether anything is wrong with a run, and what a constant guess would reach; its kind."""
    guesses = [
        f"always guessing {label} gives an accuracy of {said}" for one in seen.compared for said, label in _guess(one)
    ]
    beside = f" {', '.join(guesses)[:1].upper()}{', '.join(guesses)[1:]}." if guesses else ""
    if not faults:
        return f"Nothing was found to be wrong.{beside}", "good"
    more = f" (and {len(faults) - 1} more, see the diagnosis)" if len(faults) > 1 else ""
    return f"Something is wrong: {faults[0].message}{more}. Fix: {faults[0].fix}.{beside}", "bad"


def _guess(one: Comparison) -> Iterator[tuple[str, str]]:
    if isinstance(one, Classes) and len(one.actual):
        counts = np.bincount(one.actual.astype(int), weights_of(one.weights, len(one.actual)), len(one.labels))
        yield number(float(counts.max() / counts.sum())), one.labels[int(counts.argmax())]


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
    heads = ("column", "kind", "count", "missing", "least", "mean", "greatest", "deviation")
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
        paragraph("Fitted on the training part, and done to all:" if done else "Nothing is scaled, filled or encoded."),
        bullets(done),
    ]
    return PagePart("data", "The data", section("data", "The data", *pieces))


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
    return "" if value is None else number(value)


def figures_part(found: Mapping[str, Any]) -> PagePart:
    """Return the figures of merit with their intervals."""
    members = found.get("members", [])
    own = {**({} if members else {"loss": found["loss"]}), **found["metrics"]}  # together they have no loss
    said = ", ".join(f"{name} {number(value)}" for name, value in own.items())
    pieces = [paragraph(f"Of the {found['part']}, {found['examples']} examples: {said}.")]
    if members:
        rows = [(f"member{k}", *map(number, one.values())) for k, one in enumerate(members, 1)]
        pieces += [heading("Each member alone"), table(("member", *members[0]), rows, "Figures of each member")]
    for output in found["outputs"]:
        intervals = output.get("intervals", {})
        rows = [(WORDS[name], number(value), _ends(intervals.get(name))) for name, value in output["figures"].items()]
        called = f"{output['output']} against {output['target']}"
        pieces += [
            heading(called),
            table(("figure", "value", "95% between"), rows, f"Figures of {called}"),
            paragraph(
                f"Less is better for {_listed(LESS_IS_BETTER, output['figures'])}, more for the others.", "quiet"
            ),
        ]
        if output["kind"] == "classes":
            heads = ("class", "examples", "precision", "recall", "F1", "ROC AUC")
            each = [
                (
                    str(c["class"]),
                    number(c["examples"]),
                    *(number(c[k]) for k in ("precision", "recall", "f1", "roc_auc")),
                )
                for c in output["classes"]
            ]
            pieces.append(table(heads, each, f"Classes of {called}"))
    return PagePart("figures", "Figures of merit", section("figures", "Figures of merit", *pieces))


def _listed(words: Sequence[str], figures: Mapping[str, Any]) -> str:
    return ", ".join(WORDS[name] for name in words if name in figures) or "none"


def _ends(interval: Sequence[float] | None) -> str:
    return f"{number(interval[0])} and {number(interval[1])}" if interval else ""


def diagnosis_part(seen: Seen, faults: Sequence[Fault], member: str = "") -> PagePart:
    """Return what is wrong, and the signs of life of every layer; of one `member` of an ensemble."""
    signs = vital_signs(seen)
    items = "".join(
        f'<li><span class="bad">{escape(fault.message)}</span> ({escape(fault.place)})<br />'
        f"fix: {escape(fault.fix)}</li>"
        for fault in faults
    )
    found = f'<ol class="findings">{items}</ol>' if faults else paragraph("Nothing found.", "good")
    pieces = [
        found,
        folded(f"{len(FINDINGS)} things were looked for", bullets(finding.doc for finding in FINDINGS.values())),
        table(HEADS, [cells(sign) for sign in signs], "Signs of every layer"),
        paragraph(LEGEND, "quiet"),
    ]
    name, title = _called("diagnosis", "Diagnosis", member)
    return PagePart(name, title, section(name, title, *pieces))


def _called(name: str, title: str, member: str) -> tuple[str, str]:
    """Return the id and the title of a part, which may be of one member of an ensemble."""
    return (f"{name}-{member}", f"{title}: {member}") if member else (name, title)


def picture_parts(seen: Seen, some: Sequence[str] = tuple(PICTURES), member: str = "") -> Iterator[PagePart]:
    """Yield a part for each of some pictures that the run has; of one `member` of an ensemble."""
    for name in sorted(some, key=lambda name: (name != "curves", name)):
        svg = PICTURES[name].draw(seen)
        if svg:
            place, title = _called(name, PICTURES[name].heading, member)
            drawn = picture(svg, f"{place}-picture", "chart")
            left_out = paragraph(
                f"The picture is too large for this page: dotnn graph --run {seen.name} --show {name}."
            )
            text = section(place, title, drawn, _caption(said_of(svg)))
            yield PagePart(place, title, text, len(drawn), section(place, title, left_out))


LONGEST = 320
"""Longer words below a picture are folded."""


def _caption(said: str) -> str:
    words = paragraph(said, "quiet")
    return folded("The same in words", words) if len(said) > LONGEST else words


LINES = paragraph("Lines are those of the script that dotnn compile writes for the spec.", "quiet")


def equations_part(derivations: Mapping[str, Derivation]) -> PagePart:
    """Return the equations, folded: of each section of `train` by its name, of one without a name by ""."""
    what = "Forward, the loss, backward, the update"
    text = "\n".join(
        folded(f"{what}: {name}" if name else what, ("" if name else LINES) + equations_html(of, 4, level=3))
        for name, of in derivations.items()
    )
    left_out = section("equations", "Equations", paragraph("They are too long for this page: dotnn explain SPEC."))
    return PagePart("equations", "Equations", section("equations", "Equations", text), len(text), left_out)


def verdict_part(verdict: str, rows: Sequence[tuple[str, str, str]]) -> PagePart:
    """Return what `dotnn check` says of the gradients."""
    said = paragraph(verdict, "good" if verdict == "PASS" else "bad")
    what = (
        "Whether the generated scripts compute the derivatives of this loss rightly: each against a complex step, and "
        "the training against an interpreter. How large they are, and whether the network learns, the diagnosis says."
    )
    heads = ("gradient", "relative error", "verdict")
    more = folded("Each gradient", table(heads, rows, "Each gradient")) if rows else ""
    return PagePart("gradients", "Gradients", section("gradients", "Gradients", said, paragraph(what, "quiet"), more))


def reproduction_part(facts: Mapping[str, str], command: str) -> PagePart:
    """Return what is needed to train the same again."""
    rows = [(name, value) for name, value in facts.items() if value]
    pieces = [code(command, "The command"), table(("what", "is"), rows, "Versions and digests")]
    return PagePart("again", "How to reproduce it", section("again", "How to reproduce it", *pieces))
