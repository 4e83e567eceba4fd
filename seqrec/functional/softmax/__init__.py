"""Softmaxes over all items beside the plain one: of a table that processes divide."""
