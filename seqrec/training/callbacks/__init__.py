"""What happens beside the training steps: selection, log, progress, interrupts."""
