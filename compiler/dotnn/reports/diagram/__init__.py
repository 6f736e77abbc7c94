"""The network as a picture: which boxes there are, where they stand, and how they are drawn."""
