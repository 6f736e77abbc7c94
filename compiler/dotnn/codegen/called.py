"""What a script calls the things of one training: plainly, or by its section where several take turns."""

from __future__ import annotations

from dataclasses import dataclass

from dotnn.codegen.lines import literal

TABLE = "UPDATES"
"""The table of a script: the names of the parameters that each section updates."""


@dataclass(frozen=True)
class Names:
    """The names of one training; `section` is that of one of several, "" for the only one."""

    section: str = ""

    def own(self, name: str) -> str:
        """Return the name of a function or an array that every section has: `update` -> `update_critic`."""
        return f"{name}_{self.section}" if self.section else name

    def entry(self, table: str) -> str:
        """Return the expression of what a table has for each section: `done` -> `done["critic"]`."""
        return f"{table}[{literal(self.section)}]" if self.section else table

    def kept(self, name: str) -> str:
        """Return the expression of an entry of the state, of which every section has its own."""
        return self.entry(f"state[{literal(name)}]")

    def figure(self, quantity: str) -> str:
        """Return the key of a quantity in the record of an epoch: `val_loss` -> `val_critic.loss`."""
        if not self.section:
            return quantity
        plain = quantity.removeprefix("val_")
        return f"{'val_' * (plain != quantity)}{self.section}.{plain}"

    @property
    def params(self) -> str:
        """The expression of the names of what is updated."""
        return self.entry(TABLE) if self.section else "PARAMS"


ONLY = Names()
"""Those of a training without sections."""
