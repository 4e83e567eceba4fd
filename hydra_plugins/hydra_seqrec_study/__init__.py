"""A sweeper of Hydra's, which finds them in this namespace: see :mod:`seqrec.cli.sweeps.study`."""
