"""A run as one page of HTML: no script, no font, nothing from a network."""
