"""Pure functions: losses, augmentations, random draws, ranks. They import nothing of the project."""
