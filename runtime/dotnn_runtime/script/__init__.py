"""The helpers of generated scripts: real, tested functions that the compiler pastes by source.

Rules that make pasting safe, kept by `tests/runtime/test_pasting.py`:

- every module imports whole standard library modules (`import csv`), NumPy as `np`, and names of this package
  (`from dotnn_runtime.script.errors import DataError`), nothing else;
- a function or class reads no module-level variable: only
builtins, those modules, and other functions and classes
  of this package by their bare names, which are unique in the package. The names it reads are all it needs.
"""
