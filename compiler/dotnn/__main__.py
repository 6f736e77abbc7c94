"""`python -m dotnn` is the command line."""

from dotnn.cli import main

main()
