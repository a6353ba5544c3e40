"""Latency, memory and ceilings, measured on this machine."""
