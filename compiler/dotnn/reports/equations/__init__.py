"""The equations of a network: derived from its graph, written for terminals, pages, slides and notebooks."""
