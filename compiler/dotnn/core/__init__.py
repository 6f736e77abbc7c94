"""What every room uses: sources and errors, arguments, registries, limits."""
