"""A package that is no part of seqrec: a backbone, a loss, a data set and a folder of options."""
