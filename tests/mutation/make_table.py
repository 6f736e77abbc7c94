"""Write the table of mistakes anew: `python tests/mutation/make_table.py docs/validation.md`."""

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


def main(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(row_of, suite.groups()))
    path.write_text(page.replace(suite.table_part(page), suite.table(rows)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
