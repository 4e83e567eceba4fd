"""Sweeps: what launches their jobs, each job in a process of its own, what is left of them, and a search."""
