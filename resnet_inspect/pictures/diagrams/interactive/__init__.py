"""Networks as one page that a browser folds and unfolds, with every number in it."""
