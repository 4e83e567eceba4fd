"""From a trained model to an ONNX graph and the tables beside it; needs ``pip install 'seqrec[export]'``.

The graph takes *embedded* items, rows of the input table, so the table is stored once, as a plain file, and may grow::

    graph = encoder_graph(model, "encoder.onnx", max_length)   # (x (B, L, D), length (B,)) -> vector (B, D')
    step = step_graph(model, "step.onnx")                      # (x (B, D), state) -> vector, next state; or None
    fold("encoder.onnx"); quantise("encoder.onnx", "encoder.int8.onnx")
    tables = item_tables(model)                                # input (I + 2, D), output (I, D'), bias (I,) or None
    scores = vector @ tables.output.T + tables.bias

Batch and length of a graph are dynamic, lengths from 1 to ``max_length``. :class:`Graph` says what a runner puts into
it: how many of the newest items, whether a mask token follows them, and whether it wants the user's vector too, a row
of :func:`user_table`. A model that knows users alone (BPR) has no graph: its vector is the user's row.

:func:`encoder_graph` compares the graph with the model before it returns, on histories of all lengths.
"""

from seqrec.export.encoder import encoder_graph
from seqrec.export.graph import Graph
from seqrec.export.quantise import fold, quantise
from seqrec.export.step import StepGraph, step_graph
from seqrec.export.tables import ItemTables, item_tables, user_table

__all__ = [
    "Graph",
    "ItemTables",
    "StepGraph",
    "encoder_graph",
    "fold",
    "item_tables",
    "quantise",
    "step_graph",
    "user_table",
]
