"""Counts since the start, in the text format that Prometheus reads."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the classes of times."""


class Counters:
    """What a service has done.

    Attributes:
        under_way: requests that are read or wait for the model.
        lists: by what is counted: all, and those counts that answers have as well.
    """

    def __init__(self) -> None:
        self.under_way = 0
        self.lists: Counter[str] = Counter()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._times: dict[str, list[int]] = defaultdict(lambda: [0] * (len(SECONDS) + 1))
        self._seconds: Counter[str] = Counter()

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests[route, status] += 1
        self._times[route][bisect_left(SECONDS, seconds)] += 1
        self._seconds[route] += seconds  # type: ignore[assignment]  # a Counter adds any numbers

    def text(self, about: Mapping[str, str], batches: int) -> str:
        """All counts.

        Args:
            about: labels that say what is served.
            batches: how often the model was asked.
        """
        return "\n".join([*self._lines(about, batches), ""])

    def _lines(self, about: Mapping[str, str], batches: int) -> Iterator[str]:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in about.items())
        yield from ("# HELP seqrec_info What is served.", "# TYPE seqrec_info gauge", f"seqrec_info{{{labels}}} 1")
        yield from _head("requests_total", "counter", "Requests that were answered.")
        for (route, status), count in sorted(self._requests.items()):
            yield f'seqrec_requests_total{{route="{route}",status="{status}"}} {count}'
        yield from _head("request_seconds", "histogram", "From the head of a request to the end of its answer.")
        for route, counts in sorted(self._times.items()):
            for bound, count in zip([*map(str, SECONDS), "+Inf"], accumulate(counts), strict=True):
                yield f'seqrec_request_seconds_bucket{{route="{route}",le="{bound}"}} {count}'
            yield f'seqrec_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}'
            yield f'seqrec_request_seconds_count{{route="{route}"}} {sum(counts)}'
        yield from _head("requests_under_way", "gauge", "Requests that are read or wait for the model.")
        yield f"seqrec_requests_under_way {self.under_way}"
        for name in ("lists", "unknown_items", "empty_histories", "short_lists"):
            yield from _head(f"{name}_total", "counter", f"{name.replace('_', ' ').capitalize()} of all answers.")
            yield f"seqrec_{name}_total {self.lists[name]}"
        yield from _head("batches_total", "counter", "How often the model was asked, for one or more requests.")
        yield f"seqrec_batches_total {batches}"
        yield "# TYPE process_cpu_seconds_total counter"
        yield f"process_cpu_seconds_total {time.process_time():.3f}"
        memory = Path("/proc/self/statm")
        if memory.exists():
            yield "# TYPE process_resident_memory_bytes gauge"
            yield f"process_resident_memory_bytes {int(memory.read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')}"


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP seqrec_{name} {text}", f"# TYPE seqrec_{name} {kind}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
