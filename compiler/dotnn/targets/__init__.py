"""What a model is compiled for."""
