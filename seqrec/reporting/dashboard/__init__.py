"""One page about many runs, and the same for Weights & Biases."""
