"""A bundle at work on a device, which needs numpy and onnxruntime and nothing else.

On the machine with seqrec, train a model and export it (minutes; a real data set instead of the synthetic one is
``data=beauty`` or your own log)::

    python main.py model=easnrec data=synthetic trainer.max_epochs=5 hydra.run.dir=run
    python main.py task=export task.run=run task.output=bundle task.quant=int8

Copy the folder ``bundle`` to the device, and there::

    pip install numpy onnxruntime
    python bundle_on_a_device.py bundle
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

folder = Path(sys.argv[1])
sys.path.insert(0, str(folder))
import recommend  # noqa: E402  (a file of the bundle)

started = time.process_time()
model = recommend.load(folder)  # its files are compared with their hashes
print(f"{model.name} with {len(model.items.raw)} items, open after {time.process_time() - started:.2f} s of CPU time")

# What follows from a history? Raw ids go in and come out; unknown ones are counted and left out.
history = [*model.items.raw[:5], "an unknown item"]
found = model.recommend([history], k=5)
for item, score in zip(found.items[0], found.scores[0], strict=True):
    print(f"  {item!s:10} {score:.3f}")
print(f"  left out: {found.counts['unknown_items']} unknown")

# The same without what the user knows already, and from a shelf of eight items.
print("new   ", model.recommend([history], k=5, seen="remove").items[0])
print("shelf ", model.recommend([history], k=5, allow=model.items.raw[:8]).items[0])

# A user who comes back: the history grows, is put away, and is taken up again.
session = recommend.session(model)
for item in history[:3]:
    session.add(item)
with tempfile.TemporaryDirectory() as place:
    session.save(Path(place) / "state.npz")
    later = recommend.session(model, Path(place) / "state.npz")
later.add(history[3])
print("later ", later.recommend(k=5).items[0])

# What does one list cost here?
for _ in range(20):
    model.recommend([history])
started = time.process_time()
for _ in range(100):
    model.recommend([history])
print(f"one list takes {(time.process_time() - started) * 10:.2f} ms of CPU time")
