"""Scripts look as a careful person would write them: no line is too long, and a linter has nothing to say."""

import subprocess

import pytest
from members import test_turns
from members.test_turn_names import renamed
from reliability import trainings
from samples import LAYERS_TOGETHER, loss_settings, loss_spec
from support import model_of, specs_for

from dotnn.codegen.wrap import WIDTH
from dotnn.library.preparations import PREPARATIONS
from dotnn.library.sources import SOURCES
from dotnn.session import Options, compile_model, compile_spec
from dotnn.targets import TARGETS

RULES = ["--select", "E,F,I,B,UP", "--ignore", "E402", "--line-length", str(WIDTH)]
"""E402: the number of threads is set before NumPy is imported."""
LONG_NAMES = {"upper": "the_upper_of_all_three", "lower": "the_lower_of_all_three"}
"""What sections may be called."""


def sample_specs() -> list[str]:
    """Every layer, every loss with every kind of target, and every regime of a training, of one section and several."""
    losses = [loss_spec(f"{name}(y, t)", target, stage) for name, target, stage in loss_settings()]
    regimes = [*(one.spec for one in trainings.REGIMES.values()), *map(test_turns.regime, test_turns.REGIMES)]
    long = [renamed(test_turns.regime(name), LONG_NAMES) for name in ("batch norm", "rates", "weight decay")]
    return [*LAYERS_TOGETHER.values(), *losses, *regimes, *long]


def scripts(options: Options) -> dict[str, str]:
    """The scripts of all specs of the repository and, for NumPy, of all samples."""
    found = {path.stem: compile_spec(str(path), options).script for path in specs_for(options.target)}
    samples = enumerate(sample_specs() if options.target == "numpy" else [])
    return found | {f"sample{i}": compile_model(model_of(spec), options).script for i, spec in samples}


def test_what_scripts_read_and_prepare_data_with_fits_the_page():
    steps = [text for preparation in PREPARATIONS.values() for text in preparation.plain.values()]
    readers = [source.helper for source in SOURCES.values() if source.helper]
    assert steps and readers
    for text in (*steps, *readers):
        assert max(map(len, text.split("\n"))) <= WIDTH, text


@pytest.mark.parametrize("target, style", [(t.name, s.name) for t in TARGETS.values() for s in t.styles])
def test_a_linter_has_nothing_to_say(target, style, tmp_path):
    for name, text in scripts(Options(style, target=target)).items():
        assert max(map(len, text.split("\n"))) <= WIDTH, name
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    command = [
        "ruff",
        "check",
        "--isolated",
        "--no-cache",
        "--target-version",
        "py311",
        "--quiet",
        *RULES,
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
