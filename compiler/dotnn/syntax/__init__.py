"""Text and its tree: the grammar, the parser, the wording of syntax errors, the formatter."""
