"""Building blocks of backbones and methods. They import nothing of the project."""
