"""NumPy: a script that can be read, and a fast one."""
