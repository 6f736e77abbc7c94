"""Which line is to blame for what the checks have found, and in which way it is wrong."""
