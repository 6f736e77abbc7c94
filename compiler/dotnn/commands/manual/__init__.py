"""The tables of the reference manual: `python -m dotnn.commands.manual docs/language.md` renews them."""
