"""The whole mutation suite takes many minutes: it runs where DOTNN_LONG is set, the hand edits always."""

import os

collect_ignore = [] if os.environ.get("DOTNN_LONG") else ["test_mutation.py"]
