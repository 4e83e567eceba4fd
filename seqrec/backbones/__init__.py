"""Backbones: item histories to states, one architecture a file."""
