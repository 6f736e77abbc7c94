"""Pictures of trainings as SVG: axes, lines and legends, written here, with no package to install."""
