"""Networks and blocks as DOT, and DOT as pictures."""
