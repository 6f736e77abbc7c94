"""TensorFlow is an extra: without it there is nothing to run here."""

import pytest

pytest.importorskip("tensorflow")
