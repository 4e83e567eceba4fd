"""Bodies that a service must survive: made from its own OpenAPI document, right in part and wrong in many ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

MARK = "zq-secret"
"""In every text, so that an answer or a log that repeats what was sent is found."""

LITERALS = [
    "NaN", "Infinity", "-Infinity", "1e999", "-0", "1" + "0" * 40, "-" + "9" * 700, "0.1", "1e2", "00", "0x1", "true",
    "null", '""', '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\x"', '"', "'a'", "", "[", "[" * 900, '{"a":' * 300,
    "[]", "{}", "[[[[]]]]", '{"__proto__":1}', "18446744073709551616", '"\ud7ff\u2028"', f'"{MARK}"', "/* */1",
]  # fmt: skip


class Fuzzer:
    """Draws bodies.

    Args:
        document: OpenAPI of the service.
        items: that the model knows; half of all ids are of these.
        seed: of the draws.
    """

    def __init__(self, document: dict[str, Any], items: list[Any], seed: int) -> None:
        self.schemas, self.items = document["components"]["schemas"], items
        self.random = np.random.default_rng(seed)

    def bodies(self, name: str, count: int) -> Iterator[bytes]:
        """Bodies for the schema ``name``."""
        for _ in range(count):
            wrong = self.random.choice([0.0, 0.02, 0.2])
            body = self._object(self.schemas[name], wrong).encode(errors="surrogatepass")
            yield self._damaged(body) if self.random.random() < 0.3 else body

    def _value(self, schema: dict[str, Any], wrong: float) -> str:
        """JSON, or nearly, for a schema; with probability ``wrong`` for each part it is something else."""
        if self.random.random() < wrong:
            return str(self.random.choice(LITERALS))
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"].rpartition("/")[2]]
        if "anyOf" in schema:
            return self._value(schema["anyOf"][self.random.integers(len(schema["anyOf"]))], wrong)
        if "enum" in schema:
            return json.dumps(str(self.random.choice(schema["enum"])))
        kinds: dict[str, Callable[[dict[str, Any], float], str]] = {
            "object": self._object, "array": self._array, "integer": self._integer, "string": self._text,
        }  # fmt: skip
        return kinds[schema["type"]](schema, wrong) if schema["type"] in kinds else "null"

    def _object(self, schema: dict[str, Any], wrong: float) -> str:
        fields = schema["properties"]
        names = [name for name in fields if name in schema["required"] or self.random.random() < 0.3]
        if self.random.random() < wrong:
            names = [*names[self.random.integers(2) :], *names[:1], MARK]  # one less, one twice, one unknown
        parts = [f"{json.dumps(name)}:{self._value(fields.get(name, {'type': 'string'}), wrong)}" for name in names]
        return "{" + ",".join(parts) + "}"

    def _array(self, schema: dict[str, Any], wrong: float) -> str:
        longest = schema.get("maxItems", 5)
        count = longest + 1 if self.random.random() < wrong else self.random.integers(min(longest, 4) + 1)
        return "[" + ",".join(self._value(schema["items"], wrong) for _ in range(count)) + "]"

    def _integer(self, schema: dict[str, Any], wrong: float) -> str:
        low, high = schema.get("minimum", -5), schema.get("maximum", 5)
        return str(self.random.choice([low, high, low - 1, high + 1] if self.random.random() < wrong else [low, high]))

    def _text(self, schema: dict[str, Any], wrong: float) -> str:
        known = self.random.random() < 0.5
        return json.dumps(str(self.random.choice(self.items)) if known else MARK + "\u00e4\U0001f600"[: int(known)])

    def _damaged(self, body: bytes) -> bytes:
        """A few bytes changed, cut out or repeated."""
        for _ in range(self.random.integers(1, 4)):
            place, length = self.random.integers(len(body) + 1), self.random.integers(4)
            ways = [self.random.bytes(int(length)), b"", body[place : place + 40], b"\xff\xfe", b"\xed\xa0\x80"]
            body = body[:place] + ways[self.random.integers(len(ways))] + body[place + length :]
        return body
