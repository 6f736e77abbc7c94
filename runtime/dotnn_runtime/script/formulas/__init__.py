"""Formulas that generated scripts call by name. They run on float32, float64 and complex128 arrays alike.

They compare numbers by order and never take an absolute
value, so that the validator's complex step passes through.

They carry no annotations: in a script they read like a textbook.
"""
