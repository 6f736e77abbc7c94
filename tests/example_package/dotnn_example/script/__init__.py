"""Functions that are pasted into scripts."""
