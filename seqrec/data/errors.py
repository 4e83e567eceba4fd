"""The one error that data sources raise at people."""


class DataError(ValueError):
    """A file that cannot be read as asked: the message says where (file, line, column, value) and what to do."""
