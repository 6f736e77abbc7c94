"""`python -m dotnn.commands.manual PAGES` renews the tables of pages in place."""

import sys
from pathlib import Path

from dotnn.commands.manual.page import renewed

for page in map(Path, sys.argv[1:]):
    page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
