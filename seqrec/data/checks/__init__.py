"""What is in a log that decides how far numbers measured on it can be trusted."""
