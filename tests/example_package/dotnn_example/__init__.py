"""Members for dotnn from another package: `use dotnn_example`."""
