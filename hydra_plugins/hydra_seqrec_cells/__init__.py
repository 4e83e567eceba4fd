"""A sweeper of Hydra's for jobs that share no grid, such as the missing cells of a table."""
