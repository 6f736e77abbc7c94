"""`dotnn graph`, read back from the SVG by geometry: what stands where, and what the arrows touch on their way."""

import itertools
import re
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from dotnn.cli import main
from dotnn.core.diagnostics import Source
from dotnn.reports.diagram.boxes import diagram_of
from dotnn.reports.diagram.layout import LETTER
from dotnn.reports.diagram.mermaid import mermaid_of
from dotnn.reports.diagram.svg import svg_of
from dotnn.session import Compilation

SVG = "{http://www.w3.org/2000/svg}"
SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.nn"))


def model_of(text: str):
    return Compilation(Source("spec.nn", text)).model


class Seen:
    """Boxes as (left, top, right, bottom), and arrows as the points of their curves."""

    def __init__(self, text: str) -> None:
        root = ElementTree.fromstring(text)
        self.width, self.height = float(root.get("width")), float(root.get("height"))
        groups = root.findall(f"{SVG}g")
        self.boxes = [_frame(group.find(f"{SVG}rect")) for group in groups]
        self.texts = [
            [(t.text, float(t.get("x")), float(t.get("y"))) for t in group.iter(f"{SVG}text")] for group in groups
        ]
        self.kinds = [group.get("class") for group in groups]
        self.arrows = [_traced(path.get("d")) for path in root.findall(f"{SVG}path")]
        self.loops = sum(group.find(f"{SVG}path") is not None for group in groups)


def _frame(rect):
    x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def _traced(path: str) -> list[tuple[float, float]]:
    """Return points of a path of straight lines and cubic curves, close together."""
    points, at = [], (0.0, 0.0)
    for kind, numbers in re.findall(r"([MLC])([^MLC]*)", path):
        values = [float(number) for number in numbers.split()]
        p, q, end = (at, values[-2:], values[-2:]) if kind != "C" else (values[:2], values[2:4], values[4:])
        for i in range(0, 41) if kind != "M" else [40]:
            t = i / 40
            weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            points.append(tuple(sum(w * v[k] for w, v in zip(weights, (at, p, q, end), strict=True)) for k in (0, 1)))
        at = end
    return points


@pytest.mark.parametrize("unfold", [False, True])
@pytest.mark.parametrize("path", SPECS, ids=[path.stem for path in SPECS])
def test_nothing_overlaps_and_no_arrow_runs_through_a_box(path, unfold):
    model = Compilation.read(str(path)).model
    seen = Seen(svg_of(diagram_of(model, unfold=unfold)))
    for a, b in itertools.combinations(seen.boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for (left, top, right, bottom), lines in zip(seen.boxes, seen.texts, strict=True):
        assert left >= 0 and right <= seen.width and top >= 0 and bottom <= seen.height
        for text, x, y in lines:
            assert left <= x - LETTER * len(text) / 2 and x + LETTER * len(text) / 2 <= right
            assert top + 10 <= y <= bottom - 3
    for points in seen.arrows:
        for x, y in points:
            inside = [b for b in seen.boxes if b[0] + 0.2 < x < b[2] - 0.2 and b[1] + 0.2 < y < b[3] - 0.2]
            assert not inside
        assert points[-1][1] > points[0][1]
        assert any(b[0] < points[0][0] < b[2] and abs(b[3] - points[0][1]) < 0.2 for b in seen.boxes)
        assert any(b[0] < points[-1][0] < b[2] and 5 < b[1] - points[-1][1] < 8 for b in seen.boxes)


@pytest.mark.parametrize("path", SPECS, ids=[path.stem for path in SPECS])
def test_unfolded_there_is_an_arrow_for_each_use_of_a_value(path):
    model = Compilation.read(str(path)).model
    seen = Seen(svg_of(diagram_of(model, unfold=True)))
    own = {step.path: next(iter(step.params.values()), step.path) for step in model.steps}
    uses = [(own.get(path, path), own[step.path]) for step in model.steps for path in step.ins]
    within = {pair for pair in uses if {*pair} <= {name for name in own.values() if name not in own}}
    shared = sum(uses.count(pair) - 1 for pair in within)  # inside of a block that is used twice
    assert len(seen.arrows) == len(uses) - shared + sum(
        len(set(term.outputs)) + (term.target in model.targets) for term in model.train.losses
    )
    assert seen.loops == sum(step.layer.name in ("rnn", "lstm", "gru") for step in model.steps)


SHARED = """
model M {
  input a: [2]
  input b: [2]
  target t: [1]
  layer code = dense(2, tanh)
  layer last = dense(1)
  output y = (a -> code) * (b -> code) -> last
}
train { loss = mse(y, t) }
"""


def test_layers_that_share_weights_are_one_box():
    diagram = diagram_of(model_of(SHARED))
    assert [arrow for arrow in diagram.arrows if "y.code1" in arrow] == [
        ("a", "y.code1", 0), ("b", "y.code1", 0), ("y.code1", "y.multiply", 0), ("y.code1", "y.multiply", 1),
    ]  # fmt: skip


BLOCK = """
block Both { input x: [2]  output x -> dense(3, tanh) -> dense(2) }
"""


def test_uses_of_a_block_that_share_weights_are_one_box():
    """The weights are counted once, each use has its arrow; the head of it is the block, not its last layer."""
    model = model_of(BLOCK + SHARED.replace("dense(2, tanh)", "Both()"))
    diagram = diagram_of(model)
    (box,) = [box for box in diagram.boxes if box.kind == "block"]
    size = sum(p.size for name, p in model.params.items() if name.startswith("code."))
    assert box.lines == ("Both", "code, used 2 times", f"[B, 2], {size} parameters") and size == 17
    assert [arrow for arrow in diagram.arrows if box.name in arrow] == [
        ("a", box.name, 0), ("b", box.name, 0), (box.name, "y.multiply", 0), (box.name, "y.multiply", 1),
    ]  # fmt: skip
    unfolded = diagram_of(model, unfold=True)
    heads = [box.lines[:2] for box in unfolded.boxes if box.lines[0].startswith("dense")]
    assert ("dense(3, tanh)", "code.dense1, used 2 times") in heads and len(heads) == 3
    chained = model_of(BLOCK + SHARED.replace("dense(2, tanh)", "Both()").replace("(a -> code)", "(a -> code -> code)"))
    assert [box.kind for box in diagram_of(chained).boxes].count("block") == 3


@pytest.mark.parametrize("way", ["(a -> code -> code) + (b -> code)", "(a -> code -> dense(2) -> code) * (b -> code)"])
def test_uses_that_depend_on_each_other_stay_apart(way):
    model = model_of(SHARED.replace("(a -> code) * (b -> code)", way))
    boxes = [box for box in diagram_of(model).boxes if box.lines[0] == "dense(2, tanh)"]
    assert len(boxes) == 3


def test_a_block_is_one_box_or_its_layers():
    model = Compilation.read(str(SPECS[0].parent / "brackets.nn")).model
    folded, unfolded = diagram_of(model), diagram_of(model, unfold=True)
    encoders = [box for box in folded.boxes if box.lines[0] == "Encoder(2, 32)"]
    sizes = [int(box.lines[2].split(", ")[-1].split()[0].replace(",", "")) for box in encoders]
    assert sizes == [sum(p.size for n, p in model.params.items() if n.startswith(f"{b.name}.")) for b in encoders]
    assert [[a for a in folded.arrows if a[1] == b.name] for b in encoders] == [
        [("e", "h.Encoder1", 0)], [("h.Encoder1", "h.Encoder2", 0)],
    ]  # fmt: skip
    assert [box.kind for box in encoders] == ["block", "block"] and len(unfolded.boxes) == len(folded.boxes) + 12


def test_the_flowchart_has_the_same_boxes_and_arrows():
    for path in SPECS:
        diagram = diagram_of(Compilation.read(str(path)).model)
        lines = mermaid_of(diagram).splitlines()
        texts = dict(re.fullmatch(r'    (n\d+)[\[({]+"(.*)"[\])}]+', line).groups() for line in lines if '"' in line)
        heads = {number: text.split("<br>")[0] for number, text in texts.items()}
        arrows = [re.fullmatch(r"    (n\d+) --> (n\d+)", line).groups() for line in lines if "-->" in line]
        named = {box.name: box.lines[0].replace('"', "#quot;") for box in diagram.boxes}
        drawn = [(named[tail], named[head]) for tail, head, _ in diagram.arrows]
        assert sorted((heads[a], heads[b]) for a, b in arrows if a != b) == sorted(drawn)


def test_a_thousand_layers_take_seconds_and_the_same_text_comes_out():
    layers = "\n".join(f"  h{i + 1} = {f'h{i}' if i else 'x'} -> dense(4, tanh)" for i in range(999))
    text = f"model M {{\n  input x: [4]\n  target t: [1]\n{layers}\n  output y = h999 + h1 -> dense(1)\n}}\n"
    model = model_of(f"{text}train {{ loss = mse(y, t) }}\n")
    started = time.process_time()
    svg = svg_of(diagram_of(model))
    assert time.process_time() - started < 5 and svg == svg_of(diagram_of(model))
    assert len(Seen(svg).boxes) == 1004


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.nn").write_text(SHARED)
    run = CliRunner().invoke
    assert run(main, ["graph", "m.nn"]).exit_code == 0
    assert Seen(Path("m.svg").read_text()).kinds.count("input") == 2
    Path("m.svg").write_text("mine")
    assert run(main, ["graph", "m.nn"]).exit_code == 1 and Path("m.svg").read_text() == "mine"
    assert run(main, ["graph", "m.nn", "--force"]).exit_code == 0 and Path("m.svg").read_text() != "mine"
    assert run(main, ["graph", "m.nn", "-o", "m.png"]).exit_code == 2 and not Path("m.png").exists()
    shown = run(main, ["graph", "m.nn", "-o", "-"])
    assert shown.exit_code == 0 and ElementTree.fromstring(shown.stdout) is not None
    assert run(main, ["graph", "m.nn", "-o", "x.mmd"]).exit_code == 0 and Path("x.mmd").read_text().startswith(
        "flowchart"
    )
