"""A script observed while it runs: named values, decisions of branches, cotangents, the steps of its training."""
