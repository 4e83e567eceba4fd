"""From a log file to batches: readers, sequences, windows, data modules."""
