"""The one error that data sources raise at people."""


class DataError(ValueError):
    """A source that cannot be read as asked: where (file, line, value), what is allowed, what to do."""
