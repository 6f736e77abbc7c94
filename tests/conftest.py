"""What holds for all tests."""

import gc


def pytest_collection_finish():
    """Let the collector of garbage leave out what stays, and come less often: an eighth of all time was its."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
