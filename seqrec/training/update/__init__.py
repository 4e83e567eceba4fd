"""A finished run and what came later: a grown catalogue, a short fine-tuning, and what it gave to whom."""
