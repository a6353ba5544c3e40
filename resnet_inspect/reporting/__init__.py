"""Writes a report folder: an HTML page, Markdown, CSV and SVG.

contents.py says what is in a report, as tables, diagrams and plots; page.py makes index.html of it,
documents.py Markdown, CSV and DOT; svg.py fits pictures into the page; write.py writes the folder.
"""
