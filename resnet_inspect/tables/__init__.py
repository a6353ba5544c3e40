"""Networks, costs and measurements as rows, and rows as text."""
