"""The wording of every syntax error, each with bad examples that must give it (they are its tests).

`SYNTAX_ERRORS` is read from top to bottom and the first case that applies speaks. The words in braces are filled in by
`diagnose`; codes stay, once given.
"""

from dotnn.syntax.errors.brackets import BRACKETS
from dotnn.syntax.errors.characters import CHARACTERS
from dotnn.syntax.errors.expressions import EXPRESSIONS
from dotnn.syntax.errors.sections import SECTIONS
from dotnn.syntax.errors.statements import STATEMENTS
from dotnn.syntax.errors.texts import MINIMAL_SPEC, TEXT_ERRORS

SYNTAX_ERRORS = (*CHARACTERS, *SECTIONS, *BRACKETS, *STATEMENTS, *EXPRESSIONS)

__all__ = ["MINIMAL_SPEC", "SYNTAX_ERRORS", "TEXT_ERRORS"]
