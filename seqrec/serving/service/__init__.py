"""A trained model behind HTTP; needs ``pip install 'seqrec[serving]'``.

``limits`` says how much a request may ask for, ``forms`` what one looks like, ``body`` reads it, ``waiting`` asks the
model, ``app`` has the routes, ``watch`` counts and logs, ``server`` listens and stops.
"""
