"""What several pictures of a run draw alike."""
