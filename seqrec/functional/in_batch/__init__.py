"""In-batch contrasts: InfoNCE, hard negatives that last, and the sums over rows that they share."""
