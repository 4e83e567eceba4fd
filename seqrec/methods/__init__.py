"""Methods: how one learns from a batch, one training procedure a file."""
