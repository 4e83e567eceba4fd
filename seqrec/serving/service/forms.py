"""What requests and answers look like: structures that msgspec reads and checks, and their OpenAPI document."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from seqrec.serving.recommend import Recommendations
from seqrec.serving.service.limits import Limits

Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | str
Seen, Unknown, Empty = Literal["as_evaluated", "remove", "keep"], Literal["drop", "error"], Literal["popular", "error"]


class Refused(Exception):
    """A request that gets no list.

    Args:
        status: of HTTP.
        message: one line for people, without anything that the request said.
        closes: the connection ends with the answer, as when a body is not read to its end.
    """

    def __init__(self, status: int, message: str, closes: bool = False) -> None:
        super().__init__(message)
        self.status, self.message, self.closes = status, message, closes


class List(msgspec.Struct):
    """The list of one history, best item first.

    Attributes:
        items: raw ids.
        scores: of the items.
        popular: nothing in the history is known, so it got the most popular items.
        unknown_items: how many items of the history are unknown and were left out.
    """

    items: list[Any]
    scores: list[float]
    popular: bool
    unknown_items: int


class Lists(msgspec.Struct):
    """The answer: a list for each history or item that was asked with, and counts over all of them."""

    lists: list[List]
    counts: dict[str, int]

    @classmethod
    def of(cls, found: Recommendations) -> Lists:
        """What the model has found."""
        sizes = (found.numbers > 0).sum(1).tolist()
        each = zip(
            found.items, found.scores.tolist(), sizes, found.popular.tolist(), found.unknown.tolist(), strict=True
        )
        lists = [List(items, scores[:size], popular, unknown) for items, scores, size, popular, unknown in each]
        return cls(lists, found.counts)


class Error(msgspec.Struct):
    """What was wrong with a request."""

    error: str


class Forms(NamedTuple):
    """What may be asked under given limits."""

    recommend: msgspec.json.Decoder[Any]
    similar: msgspec.json.Decoder[Any]


def forms(limits: Limits) -> Forms:
    """Decoders of the bodies of both questions; a field that they do not have is refused."""
    ids = Annotated[list[Id], Meta(max_length=limits.history)]
    rows = Meta(max_length=limits.histories)
    k = ("k", Annotated[int, Meta(ge=1, le=limits.k)], min(10, limits.k))
    unknown = ("unknown", Unknown, "drop")
    recommend = msgspec.defstruct(
        "Recommend",
        [
            ("histories", Annotated[list[ids], rows]),
            k,
            ("seen", Seen, "as_evaluated"),
            ("allow", ids | None, None),
            ("block", ids, msgspec.field(default_factory=list)),
            unknown,
            ("empty", Empty, "popular"),
            ("users", Annotated[list[Id], rows] | None, None),
        ],
        forbid_unknown_fields=True,
    )
    similar = msgspec.defstruct(
        "Similar", [("items", Annotated[list[Id], rows]), k, unknown], forbid_unknown_fields=True
    )
    return Forms(msgspec.json.Decoder(recommend), msgspec.json.Decoder(similar))


def read(form: msgspec.json.Decoder[Any], body: bytes | bytearray) -> Any:
    """A body as the structure of a form. Of a field that comes twice the last counts.

    Raises:
        Refused: naming the field; nothing that was sent is repeated.
    """
    try:
        return form.decode(body)
    except msgspec.ValidationError as error:
        raise Refused(422, _in_words(str(error), form.type)) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        what = str(error) if isinstance(error, msgspec.DecodeError) else "not UTF-8"
        raise Refused(422, f"the body is not JSON ({what})") from None
    except RecursionError:
        raise Refused(422, "the body is nested too deeply") from None


def _in_words(message: str, form: Any) -> str:
    """What msgspec says of a value, the field first."""
    what, _, path = message.partition(" - at ")
    field = path.strip("`").removeprefix("$").lstrip(".")
    if what.startswith("Object contains unknown field"):
        return f"the body has an unknown field; it may have {', '.join(form.__struct_fields__)}"
    if what.startswith("Invalid enum value"):
        choices = form.__annotations__[field].__args__
        return f"{field}: choose {', '.join(choices[:-1])} or {choices[-1]}"
    what = re.sub(r"`(\w+(?: \| \w+)*)`", r"\1", what)
    return f"{field}: {what[0].lower()}{what[1:]}" if field else f"the body: {what[0].lower()}{what[1:]}"


def openapi(limits: Limits, version: str) -> dict[str, Any]:
    """The OpenAPI document of the service."""
    asked = forms(limits)
    _, parts = msgspec.json.schema_components(
        [asked.recommend.type, asked.similar.type, Lists, Error], ref_template="#/components/schemas/{name}"
    )
    failures = {
        "408": "the body did not arrive in time",
        "413": f"the body has more than {limits.body_bytes} bytes",
        "415": "the content type is not application/json",
        "422": "the body is no such question; the message names the field",
        "503": "too many requests at a time",
    }

    def question(name: str, summary: str) -> dict[str, Any]:
        answers = {"200": _content("Lists", "lists")} | {
            code: _content("Error", text) for code, text in failures.items()
        }
        body = {"required": True, "content": _content(name, "")["content"]}
        return {"post": {"summary": summary, "operationId": name.lower(), "requestBody": body, "responses": answers}}

    def page(summary: str, kind: str) -> dict[str, Any]:
        answers = {"200": {"description": summary, "content": {kind: {"schema": {}}}}}
        return {"get": {"summary": summary, "responses": answers}}

    return {
        "openapi": "3.1.0",
        "info": {"title": "seqrec", "version": version},
        "paths": {
            "/recommend": question("Recommend", "the best items after each history"),
            "/similar": question("Similar", "the items most like each item"),
            "/health": page("the model that answers", "application/json"),
            "/metrics": page("counts for Prometheus", "text/plain"),
            "/openapi.json": page("this document", "application/json"),
        },
        "components": {"schemas": parts},
    }


def _content(name: str, description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
