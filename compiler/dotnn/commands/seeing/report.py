"""`dotnn report`: what is known of a run, gathered for one page."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence

import numpy as np

from dotnn import __version__
from dotnn.codegen.heading import digest
from dotnn.commands.checking.spec import check_compilation
from dotnn.commands.explaining.script import explanation
from dotnn.commands.seeing.ensemble import Ensemble
from dotnn.commands.seeing.figures import figures_of
from dotnn.commands.seeing.look import seen_of
from dotnn.commands.seeing.run import Run
from dotnn.reports.data_summary import balances, columns
from dotnn.reports.findings import Fault, diagnosis
from dotnn.reports.page.document import PagePart, page
from dotnn.reports.page.markup import paragraph
from dotnn.reports.page.sections import (
    data_part,
    diagnosis_part,
    equations_part,
    figures_part,
    member_of,
    network_part,
    picture_parts,
    reproduction_part,
    spec_part,
    summary_of,
    summary_of_all,
    verdict_of,
    verdict_of_all,
    verdict_part,
)
from dotnn.reports.seen import Seen
from dotnn.running.deadline import Ended, within
from dotnn.running.run_contents import result_of
from dotnn.running.run_files import used_files
from dotnn.running.spec_files import load_examples

PATIENCE = 60.0
"""How long the gradients are checked, in seconds."""


def report_page(run: Run, data: str | None) -> str:
    """Return the page of a run as the text of an HTML file. Raises `CompileError`."""
    title = f"{run.folder.path.resolve().name}: a run of {run.model.name}"
    seen = seen_of(run, data)
    faults = diagnosis(seen)
    verdict = paragraph(*verdict_of(seen, faults))
    return page(title, verdict, summary_of(run.model, run.result), [*_parts(run, data, seen, faults)])


def ensemble_page(ensemble: Ensemble, data: str | None) -> str:
    """Return the page of an ensemble as the text of an HTML file: what all have in common, and each member's diagnosis.

    Raises `CompileError`.
    """
    model, seen = ensemble.run.model, ensemble.seen(data)
    title = f"{ensemble.folder.path.resolve().name}: {len(seen)} runs of {model.name}, which answer together"
    faults = [diagnosis(one) for one in seen]
    verdict = paragraph(*verdict_of_all(seen, faults))
    result = result_of(ensemble.folder)
    return page(title, verdict, summary_of_all(model, result), [*_parts_of_all(ensemble, data, seen, faults)])


def _parts_of_all(
    ensemble: Ensemble, data: str | None, seen: Sequence[Seen], faults: Sequence[Sequence[Fault]]
) -> Iterator[PagePart]:
    run, first = ensemble.run, seen[0]
    yield from _network_and_data(run, data, first)
    yield figures_part(ensemble.figures(dict(first.parts[first.part]), first.part).as_json())
    for one, found in zip(seen, faults, strict=True):
        yield diagnosis_part(one, found, member_of(one))
        yield from picture_parts(one, ("curves",), member_of(one))
    yield from _equations_and_verdict(run)
    yield reproduction_part(_facts(run), _command(run))  # its seed is that of all: the others have those behind it


def _parts(run: Run, data: str | None, seen: Seen, faults: Sequence[Fault]) -> Iterator[PagePart]:
    yield diagnosis_part(seen, faults)
    yield figures_part(figures_of(run, dict(seen.parts[seen.part]), seen.part).as_json())
    yield from _network_and_data(run, data, seen)
    yield from picture_parts(seen)
    yield from _equations_and_verdict(run)
    yield reproduction_part(_facts(run), _command(run))


def _network_and_data(run: Run, data: str | None, seen: Seen) -> Iterator[PagePart]:
    raw, labels = load_examples(run.model, run.source if data is None else data)
    yield spec_part({"spec.nn": run.model.source.text, **used_files(run.model.source)}, run.begun.sets)
    yield network_part(run.model)
    balance = balances(run.model, seen.parts, run.kept.labels)
    yield data_part(run.model, columns(run.model, raw, labels), _sizes(seen), balance)


def _equations_and_verdict(run: Run) -> Iterator[PagePart]:
    """Yield the equations, of each section its own, and what is proven of them."""
    sections: list[str | None] = [turn.name for turn in run.model.turns] or [None]
    yield equations_part({name or "": explanation(run.begun, name).derivation for name in sections})
    yield verdict_part(*_verdict(run))


def _sizes(seen: Seen) -> dict[str, int]:
    return {part: len(next(iter(arrays.values()))) for part, arrays in seen.parts.items()}


def _verdict(run: Run) -> tuple[str, list[tuple[str, str, str]]]:
    """Return the verdict of `dotnn check` on the network of a run, and a row for each gradient."""
    try:
        report = within(PATIENCE, lambda: check_compilation(run.begun, run.model.name))
    except Ended as ended:
        return f"INCONCLUSIVE: {ended}", []
    rows = [(t.name, "–" if t.rel_err is None else f"{t.rel_err:.1e}", str(t.verdict)) for t in report.tensors]
    return str(report.verdict), rows


def _facts(run: Run) -> dict[str, str]:
    manifest = run.folder.manifest
    return {
        "dotnn that trained": str(manifest.get("version", "")),
        "dotnn of this page": __version__,
        "Python of this page": platform.python_version(),
        "NumPy of this page": np.__version__,
        "target": str(manifest.get("target", "")),
        "seed": str(manifest.get("seed", "")),
        "precision": str(manifest.get("precision", "")),
        "digest of the spec": digest(run.model.source.whole),
        "digest of the training": str(manifest.get("training", "")),
        "checksum of the raw data": f"{manifest['examples']:08x}" if isinstance(manifest.get("examples"), int) else "",
    }


def _command(run: Run) -> str:
    """Return the command that trains the same again."""
    manifest = run.folder.manifest
    words = ["dotnn", "train", run.spec_path or "spec.nn", "--run", "again"]
    words += [word for text in run.begun.sets for word in ("--set", f'"{text}"')]
    given = {
        "data": manifest.get("data"),
        "init-from": manifest.get("init_from"),
        "epochs": run.facts.get("epochs"),
        "seed": str(manifest.get("seed", run.model.train.seed)),
        "target": manifest.get("target"),
        "style": run.facts.get("style"),
        "precision": manifest.get("precision"),
    }
    return " ".join([*words, *(word for name, value in given.items() if value for word in (f"--{name}", str(value)))])
