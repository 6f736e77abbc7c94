"""The work of `dotnn check`."""
