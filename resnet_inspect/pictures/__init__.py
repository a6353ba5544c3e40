"""Diagrams and plots."""
