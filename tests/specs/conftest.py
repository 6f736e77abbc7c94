from pathlib import Path

import numpy as np
import pytest
from support import SPECS, STYLES


def pytest_generate_tests(metafunc):
    """Give `path` every spec there is, and `style` every style: a new spec joins by itself."""
    if "path" in metafunc.fixturenames:
        paths = sorted(SPECS.glob("**/*.nn"))
        metafunc.parametrize("path", paths, ids=[path.stem for path in paths])
    if "style" in metafunc.fixturenames:
        metafunc.parametrize("style", STYLES)


@pytest.fixture(scope="session")
def only_numpy(tmp_path_factory):
    """A folder from which NumPy, and nothing else, can be imported."""
    folder = tmp_path_factory.mktemp("only_numpy")
    packages = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (packages / name).exists():
            (folder / name).symlink_to(packages / name)
    return folder
