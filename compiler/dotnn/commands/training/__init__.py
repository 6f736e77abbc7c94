"""The work of `dotnn train`."""
