"""Keras layers and TensorFlow formulas that are pasted into scripts for TensorFlow, only the ones used.

This package itself imports nothing. The compiler reads its files as text; only a script imports TensorFlow.
"""
