"""Tasks: what `python main.py task=...` can do."""
