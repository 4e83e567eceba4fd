"""The options; an ``__init__.py`` makes them reachable as ``pkg://mine.conf``."""
