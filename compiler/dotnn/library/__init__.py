"""What the language knows: each member says what it is, in a file of its family's folder."""
