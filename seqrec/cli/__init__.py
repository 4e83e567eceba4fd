"""The command line: what may be asked, and errors for people."""
