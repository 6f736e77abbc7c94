"""The stated limits of the compiler: a spec beyond one of them is an error, never a hang."""

MAX_SOURCE_BYTES = 4 * 1024 * 1024
"""The size of a spec, inline data included."""

MAX_USED_FILES = 100
"""The files of definitions that a spec uses."""

MAX_TOKENS = 100_000
"""The words and signs of a spec; an inline list of numbers counts as one."""

MAX_NESTING = 200
"""How deep brackets may nest."""

MAX_EXPRESSION_DEPTH = 200
"""The depth of one expression's tree: what a recursive walker may count on (a pipe is one level, however long)."""

MAX_FORMULA = 2_000
"""The names, numbers and operations of one formula, written out: with the definitions that it calls in it, and |x| as
where(x > 0, x, -x)."""

MAX_NUMBER = 2**63 - 1
"""The largest whole number."""

MAX_REPEAT = 10_000
"""The copies one `repeat` may make."""

MAX_LAYERS = 20_000
"""The layers of a whole model, blocks and repeats expanded."""

MAX_PARAMETERS = 1_000_000_000
"""The weights of a whole model."""

MAX_SIZE = 1_000_000_000
"""The numbers in one example of one value: of an input, or of what a layer makes of it."""

MAX_BLOCKS = 10_000
"""The uses of blocks in a whole model, repeats expanded."""
