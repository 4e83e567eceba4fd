"""What methods with several networks that learn in turns share."""

from seqrec.methods.adversarial.turns import AdversarialRecommender

__all__ = ["AdversarialRecommender"]
