"""The resolved model: names bound, blocks expanded, arguments typed, defaults explicit, shapes known."""
