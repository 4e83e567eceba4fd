"""What some methods look up in the training data: unseen items, equal targets, soft labels, an item graph."""
