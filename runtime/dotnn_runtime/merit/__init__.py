"""Figures of merit of predictions against targets; definitions and corner cases are those of scikit-learn.

All take weights, one for each example, of which at least one is positive; None weighs all alike.
"""
