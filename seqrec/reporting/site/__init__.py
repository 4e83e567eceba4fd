"""The documentation site: pages that are made of models, data sets, options and docstrings when it is built."""
