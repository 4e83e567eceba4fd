"""A trained model at work without torch: histories of raw ids in, recommended items out."""
