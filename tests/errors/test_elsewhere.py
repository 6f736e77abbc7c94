"""The words of other libraries lead to names that there are."""

import pytest

from dotnn.library.layers import LAYERS
from dotnn.library.metrics import METRICS
from dotnn.library.preparations import PREPARATIONS
from dotnn.model.bind import FAMILIES
from dotnn.model.data import DATA_KEYS
from dotnn.model.synonyms import OTHER_NAMES, suggest
from dotnn.model.train import TRAIN_KEY_NAMES

REGISTRIES = {**FAMILIES, "layer": LAYERS, "metric": METRICS, "scale": PREPARATIONS}
MEMBERS = [member for entries in REGISTRIES.values() for member in entries.values() if hasattr(member, "args")]
KNOWN = {
    **{name: set(entries) for name, entries in REGISTRIES.items()},
    "key": {*TRAIN_KEY_NAMES, *DATA_KEYS},
    **{f"arguments of {member.name}": {arg.name for arg in member.args} for member in MEMBERS},
    "truth": {"true", "false"},
}


@pytest.mark.parametrize("word", OTHER_NAMES)
def test_every_word_leads_to_a_name(word):
    """Of each candidate, in some table that has it and not the word itself."""
    for candidate in OTHER_NAMES[word]:
        tables = [known for known in KNOWN.values() if candidate in known and word not in known]
        assert tables, candidate
        others = [c for c in OTHER_NAMES[word] if c != candidate]
        for table in tables:  # of two that are both there, the first is named
            known = table - {*others}
            assert suggest(word, known) == suggest(word.upper(), known) == f'did you mean "{candidate}"?'
