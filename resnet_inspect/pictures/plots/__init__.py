"""Plots of what the tables hold: values (plot.Plot) that draw themselves when they are written.

matplotlib is loaded then, not before.
"""
