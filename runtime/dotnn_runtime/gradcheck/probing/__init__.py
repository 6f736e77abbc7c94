"""The checks: what a script claims beside what oracles, other implementations and the script itself say."""
