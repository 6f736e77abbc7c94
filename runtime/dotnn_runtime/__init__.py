"""What `dotnn check`, `train` and `predict` need when they run a generated script. Never imports the compiler."""
