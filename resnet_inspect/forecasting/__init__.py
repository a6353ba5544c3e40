"""How long a network will take on a device and what fits on it, without running it."""
