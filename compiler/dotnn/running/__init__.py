"""Running what was compiled: scripts, data files, threads, training steps."""
