"""The errors that data sources raise at people."""


class DataError(ValueError):
    """A source that cannot be read as asked: where (file, line, value), what is allowed, what to do."""


class NoInteractions(DataError):
    """A file without a single row; as one of several files it does no harm."""
