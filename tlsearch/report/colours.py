"""The colours of all pictures."""

from __future__ import annotations

INK = "#22313f"
QUIET = "#7b8794"
GRID = "#e4e8ec"
BLUE = "#1f6fb4"
PALE_BLUE = "#a9cbe8"
PALE_GREY = "#c9d3dc"
ORANGE = "#d9662b"
