"""Tables and figures of papers, cell by cell: what is printed, which runs are those cells, and what they gave."""
