"""From a configuration to selected weights: the one place with a Trainer."""
