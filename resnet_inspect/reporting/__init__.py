"""Everything about some networks, on pages: a folder that a person would gladly read.

contents.py says what is in a report, as tables, diagrams and plots; page.py makes index.html of it,
text.py Markdown, CSV and DOT; pictures.py fits pictures into the page; folder.py writes the folder.
"""
