"""Files to tables: formats, columns, and which line is wrong."""
