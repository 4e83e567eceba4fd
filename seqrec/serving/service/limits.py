"""How much a request may ask for, and how long anything may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from seqrec.serving.extras import require

NEEDED = ("starlette", "msgspec", "uvicorn")


@dataclass(frozen=True)
class Limits:
    """What a service does not go beyond; ``conf/task/serve.yaml`` has the values.

    Attributes:
        body_bytes: of a request.
        body_seconds: until the whole of a request has to be there.
        histories: in a request, and items in one that asks for similar ones.
        history: items in a history, and in a list of items that may, or may not, come.
        k: items in a list.
        concurrency: requests that are read or wait for the model at a time; others are sent away (503).
        connections: open at a time.
        idle_seconds: until a connection without a request is closed.
        stop_seconds: that a stop waits for requests under way.
    """

    body_bytes: int
    body_seconds: float
    histories: int
    history: int
    k: int
    concurrency: int
    connections: int
    idle_seconds: int
    stop_seconds: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Limits:
        """The same by name.

        Raises:
            ValueError: a value is missing, unknown or too small.
        """
        names = [field.name for field in fields(cls)]
        if set(values) != set(names):
            raise ValueError(f"limits has {', '.join(map(str, values))}; give exactly {', '.join(names)}")
        return cls(**values)

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"limits.{field.name} is {getattr(self, field.name)}; it must be more than 0")
        if self.body_seconds >= self.stop_seconds:
            raise ValueError(
                f"limits.stop_seconds is {self.stop_seconds}; it must be more than limits.body_seconds, "
                f"{self.body_seconds}, or a stop would cut off requests that are still arriving"
            )


def check_installed() -> None:
    """Refuse to start without the packages of the extra.

    Raises:
        ValueError: one of them is missing.
    """
    require(NEEDED, "a service", "serving")
