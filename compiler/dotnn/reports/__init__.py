"""What is shown: errors, JSON, the tables of the manual."""
