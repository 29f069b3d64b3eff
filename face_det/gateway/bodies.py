"""JSON that clients send: a body with a thousand faults must cost no more than one with a few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

MAX_TOLD = 5
"""How many faults an answer names; a client mends the first ones first."""
MAX_PART = 80
_MAX_UNKNOWN_KEYS = 20


class Body(BaseModel):
    """What a route takes: the keys it has, and no others.

    A list in it is `Annotated[list[...], FailFast()]`: otherwise each wrong item would be a fault of its
    own, which takes fifty times the memory of the item.
    """

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _require_few_keys(cls, content: Any) -> Any:
        known = cls.model_fields
        if isinstance(content, Mapping) and len(content) > len(known) + _MAX_UNKNOWN_KEYS:
            raise ValueError(f"must have no keys but {', '.join(known)}, got {len(content)} keys")
        return content


def describe_faults(faults: Sequence[Any]) -> str:
    """Return what is wrong with a request: the first few faults of a RequestValidationError.

    >>> describe_faults([{"loc": ("body", "to"), "msg": "Field required"}])
    'body.to: Field required'
    """
    told = [f"{_place(fault['loc'])}: {fault['msg']}" for fault in faults[:MAX_TOLD]]
    more = len(faults) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _place(parts: Sequence[str | int]) -> str:
    # A key can be of any length, and half a surrogate pair, which no answer can hold.
    texts = [str(part)[:MAX_PART].encode("utf-8", "backslashreplace").decode() for part in parts]
    return ".".join(texts)
