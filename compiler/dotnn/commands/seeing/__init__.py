"""Looking at a finished run: its figures, its pictures, what is wrong with it, all of it as one page."""
