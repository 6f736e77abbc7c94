"""`dotnn check` of a spec or a script, within a time."""

from __future__ import annotations

from dotnn.commands.checking.script import PATIENCE, check_file
from dotnn.commands.checking.spec import check_spec
from dotnn.running.deadline import check_in_time
from dotnn_runtime.gradcheck import Report


def check_path(
    path: str, *, spec: str | None, sets: tuple[str, ...], seed: int | None, against: str | None, timeout: float | None
) -> Report:
    """Validate the gradients of a spec or, for a name that ends in .py, of a script that `spec` compiles to.

    `timeout` is in seconds; without it a script has `PATIENCE`, and a spec all the time it needs.
    """
    if path.endswith(".py"):
        return check_file(path, seed or 0, spec, sets, timeout=timeout or PATIENCE)

    def check() -> Report:
        return check_spec(path, sets, seed, [against] if against else [])

    return check_in_time(path, timeout, check) if timeout else check()
