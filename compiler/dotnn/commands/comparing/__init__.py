"""The work of `dotnn diff`: following two trainings, and measuring what rounding does to one."""
