"""Graph to graph. Every file has a pass: what it makes of what, and why. A target says which it runs (`Style`)."""
