"""The explain style: a script that mirrors its spec, as a textbook would print it."""
