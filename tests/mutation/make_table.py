"""Print the table of mistakes: `python tests/mutation/make_table.py`."""

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from mutation import suite  # noqa: E402


def row_of(name: str) -> str:
    group = suite.groups()[name]
    result = suite.run_group(group, group.sample)
    print(f"{name}: {len(result.rows)} mutants, {len(result.wrong)} not as they should be", file=sys.stderr)
    return result.table_row()


def main() -> None:
    with ProcessPoolExecutor(2) as pool:
        print(suite.table(pool.map(row_of, suite.groups())))


if __name__ == "__main__":
    main()
