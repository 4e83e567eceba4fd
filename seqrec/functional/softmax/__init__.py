"""Softmaxes over all items: a chunk at a time, of a table that processes divide, by the kernels of a library."""
