"""Networks trained on small images, to see which of them learn."""
