"""Times as typed records, and their statistics. No torch, no device."""
