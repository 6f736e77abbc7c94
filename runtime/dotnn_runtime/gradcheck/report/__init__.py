"""What a check found, as data, JSON and text."""
