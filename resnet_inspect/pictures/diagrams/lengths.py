"""All lengths in a diagram, in points."""

from __future__ import annotations

MARGIN = 8.0  # around a picture
BETWEEN = 26.0  # networks, and a network and the words at its side
BELOW = 6.0  # headings
GUTTER = 22.0  # between the columns of a page

STEP = 12.0  # between boxes in a row, with an arrow between them
SHORT_STEP = 8.0  # between boxes in a row without one
BESIDE = 12.0  # between columns that run in parallel
BEND = 12.0  # in which edges turn from one column to another
TRACK = 9.0  # between what runs beside the main path and what it passes
BORDER = 8.0  # at both ends of an interwoven group, in which edges from outside may run
PAD = 8.0  # inside of a frame
TITLE = (6.0, 2.0)  # beside and above a frame's title

SIGN, FORK = 21.6, 7.0  # across a circle, and a point
LOWEST = 17.0  # how high a box is at least
# beside and above the text of a box:
MARGINS = {"box": (8.0, 2.5), "pill": (6.0, 1.5), "end": (8.0, 2.5), "plain": (2.0, 0.0)}

WORDS = 11.0  # the size of the words at an edge
ASIDE = 5.0  # between an edge and the words beside it
ARROW = 7.0  # from an arrow's start to its tip
ROUND, WIDE = 6.0, 16.0  # radius of the corners of an edge of the main path, and of a shortcut

BRACKET, CELL, GAP = 5, 1, 3  # beside brackets; a frame's line; between columns side by side
COLUMN, PANEL = 2, 4  # around what is in a column, and in a panel
TIMES = 15  # the size of the count beside brackets
