"""A run on disk: its folder, result and card; neither Lightning nor Hydra."""
