"""Formulas as mathematics writes them: by element where matrices do not suffice, in Unicode, LaTeX or MathML.

`elements` reads a formula of whole arrays element by element: sums, maxima and means over index sets. `writing` writes
either form in a `notation`. Indices count from 0, as in scripts, and a term whose index lies outside of its array is
left out: of a sum it is 0, of a maximum or a mean it is no part.
"""
