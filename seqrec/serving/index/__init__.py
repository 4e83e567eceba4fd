"""Large catalogues: the best items from an index of their vectors instead of all scores."""
