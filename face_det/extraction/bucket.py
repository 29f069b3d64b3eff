"""A bucket of an S3 server: lists its objects page by page, and reads several at a time.

Credentials, regions and how often a request is repeated follow botocore's usual rules, which are boto3's.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import botocore.session
import tenacity
from botocore import exceptions
from botocore.config import Config
from botocore.utils import parse_timestamp

from face_det.errors import BucketFailed, BucketRefused, DataError, UnknownBucket
from face_det.extraction.direct_read import BROKEN, AddressSigner, DirectReader

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 30
BODY_ATTEMPTS = 3
"""How often an object is read whose body breaks off; botocore repeats only what comes before it."""
MAX_DISCARDED_BYTES = 1_000_000
"""Reading what is not needed keeps the connection, and is quicker than making another one."""
WAITING_FOR_EACH_WORKER = 2
"""How many objects each worker may be ahead of the one that is waited for."""

_GONE = {"NoSuchKey", "404", "NotFound", "NoSuchVersion"}
_LOCKED_AWAY = {"AccessDenied", "403", "Forbidden", "InvalidObjectState", "KMS.DisabledException"}
_CREDENTIALS = {
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "AuthFailure": "the credentials are wrong",
    "ExpiredToken": "the session has expired",
    "ExpiredTokenException": "the session has expired",
    "InvalidToken": "the session token is wrong",
    "TokenRefreshRequired": "the session has expired",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "UnauthorizedAccess": "the credentials are wrong",
    "401": "the credentials are wrong",
}
_NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
)
_WHERE_FROM = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE for a profile in ~/.aws/credentials"
)
_ADVICE = "; what is finished is kept: run the command again to go on"

_METADATA = "x-amz-meta-"

Item = TypeVar("Item")
Result = TypeVar("Result")


class ObjectGone(DataError):
    """The object was deleted after it was listed."""


class ObjectRefused(DataError):
    """The object may not be read: no permission, or it is archived."""


class _BrokenOff(BucketFailed):
    """The body of an object ended too early."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it is listed; `version` changes with its content or its metadata, `size` is in bytes."""

    key: str
    version: str
    size: int


class Bucket:
    """A bucket, as one user sees it. Threads may share it; `close` it once they are done."""

    def __init__(self, name: str, *, endpoint_url: str | None = None, connections: int = 10) -> None:
        """Find the credentials; nothing is asked of the server yet. Raises BucketRefused."""
        self.name = name
        self._where = f"s3://{name}" + (f" at {endpoint_url}" if endpoint_url else "")
        settings = Config(
            max_pool_connections=connections,
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
        )
        try:
            with self._explaining():
                session = botocore.session.get_session()
                # dateutil, which botocore asks, takes longer than all the rest of a page of objects.
                factory = session.get_component("response_parser_factory")
                factory.set_parser_defaults(timestamp_parser=parse_time)
                self._client = session.create_client("s3", endpoint_url=endpoint_url, config=settings)
                signer = AddressSigner(self._client, session.get_credentials(), name)
        except ValueError as error:  # how botocore refuses an endpoint
            raise BucketRefused(
                [f"{self._where}: the endpoint must be like http://127.0.0.1:8333, got {endpoint_url!r}"]
            ) from error
        self._direct = DirectReader(endpoint_url, signer, timeout_s=READ_TIMEOUT_S)

    def close(self) -> None:
        """Close the connections to the server."""
        self._direct.close()
        self._client.close()

    def list_pages(self, prefix: str = "", since_s: float | None = None) -> Iterator[list[StoredObject]]:
        """Yield the objects whose keys start with `prefix`, up to 1,000 at a time, in the order of keys.

        `since_s`, in seconds since 1970, leaves out what was last written before. Raises UnknownBucket,
        BucketRefused or BucketFailed.
        """
        with self._explaining():
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=prefix
            ):
                yield [
                    StoredObject(
                        found["Key"],
                        f"{found['ETag'].strip(chr(34))} {found['LastModified'].timestamp():.3f}",
                        found["Size"],
                    )
                    for found in page.get("Contents", [])
                    if since_s is None or found["LastModified"].timestamp() >= since_s
                ]

    def read(
        self, key: str, wanted: Callable[[Mapping[str, str]], bool]
    ) -> tuple[dict[str, str], bytes | None]:
        """Return the metadata of an object and its bytes; None unless its metadata is `wanted`.

        Names of metadata are in lower case. Raises ObjectGone, ObjectRefused, and what `list_pages` raises.
        """
        with suppress(*BROKEN), self._direct.open(key) as answer:
            if answer is not None:
                metadata = _select_metadata(answer.headers.items())
                return _take(metadata, answer.length, answer.read, wanted)
        return self._read_patiently(key, wanted)

    def _read_patiently(
        self, key: str, wanted: Callable[[Mapping[str, str]], bool]
    ) -> tuple[dict[str, str], bytes | None]:
        with self._explaining(key):
            for attempt in tenacity.Retrying(
                stop=tenacity.stop_after_attempt(BODY_ATTEMPTS),
                wait=tenacity.wait_exponential(multiplier=0.5),
                retry=tenacity.retry_if_exception_type(_BrokenOff),
                reraise=True,
            ):
                with attempt:
                    answer = self._client.get_object(Bucket=self.name, Key=key)
                    metadata = {name.lower(): value for name, value in answer["Metadata"].items()}
                    # As a context manager of its own it would hand out the stream that nobody checks.
                    with closing(answer["Body"]) as body:
                        length, read = answer["ContentLength"], functools.partial(self._read_body, body)
                        return _take(metadata, length, read, wanted)
        raise AssertionError("unreachable")

    def _read_body(self, body: Any) -> bytes:
        try:
            data: bytes = body.read()
        except (exceptions.IncompleteReadError, exceptions.HTTPClientError) as error:
            raise _BrokenOff(f"{self._where}: broke off: {_one_line(error)}{_ADVICE}") from error
        return data

    @contextmanager
    def _explaining(self, key: str | None = None) -> Iterator[None]:
        try:
            yield
        except exceptions.ClientError as error:
            raise self._explain(error, key) from error
        except _NO_CREDENTIALS as error:
            raise BucketRefused([f"{self._where}: {_one_line(error)}; {_WHERE_FROM}"]) from error
        except exceptions.ParamValidationError as error:
            raise UnknownBucket(f"{self._where}: must be the name of a bucket, and is none") from error
        except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
            raise BucketFailed(f"{self._where}: no answer: {_one_line(error)}{_ADVICE}") from error
        except exceptions.BotoCoreError as error:
            raise BucketRefused([f"{self._where}: cannot be asked: {_one_line(error)}"]) from error

    def _explain(self, error: exceptions.ClientError, key: str | None) -> Exception:
        answer = error.response.get("Error", {})
        code, text = str(answer.get("Code")), _one_line(answer.get("Message") or error)
        if code in ("NoSuchBucket", "InvalidBucketName") or (code in _GONE and key is None):
            return UnknownBucket(f"{self._where}: there is no such bucket; check --bucket and --endpoint-url")
        if code in _CREDENTIALS:
            return BucketRefused([f"{self._where}: {_CREDENTIALS[code]} ({code}); {_WHERE_FROM}"])
        if key is not None and code in _GONE:
            return ObjectGone(f"s3://{self.name}/{' '.join(key.split())}: was deleted meanwhile")
        if key is not None and code in _LOCKED_AWAY:
            return ObjectRefused(
                f"s3://{self.name}/{' '.join(key.split())}: may not be read ({code}): {text}"
            )
        if code in _LOCKED_AWAY:
            return BucketRefused(
                [f"{self._where}: may not be listed ({code}); allow s3:ListBucket to this user"]
            )
        return BucketFailed(f"{self._where}: fails ({code}): {text}{_ADVICE}")


def parse_time(text: str) -> datetime:
    """Return a time as botocore does, which is slow, without its help if it is in the form of lists.

    >>> parse_time("2026-01-31T09:30:00.000Z").isoformat()
    '2026-01-31T09:30:00+00:00'
    >>> parse_time("Sat, 31 Jan 2026 09:30:00 GMT").isoformat()
    '2026-01-31T09:30:00+00:00'
    """
    if text.endswith("Z"):
        with suppress(ValueError):
            return datetime.fromisoformat(f"{text[:-1]}+00:00")
    found: datetime = parse_timestamp(text)
    return found


def _select_metadata(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return an object's metadata, with names in lower case."""
    lower = ((name.lower(), value) for name, value in headers)
    return {name.removeprefix(_METADATA): value for name, value in lower if name.startswith(_METADATA)}


def _take(
    metadata: dict[str, str],
    length: int | None,
    read: Callable[[], bytes],
    wanted: Callable[[Mapping[str, str]], bool],
) -> tuple[dict[str, str], bytes | None]:
    """Return the metadata, and the bytes if they are wanted; `length` is how many there are, if known."""
    if wanted(metadata):
        return metadata, read()
    if length is not None and length <= MAX_DISCARDED_BYTES:
        read()
    return metadata, None


def map_in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield work(item) for each item, in their order, with `workers` threads at work.

    Only a few items are taken ahead, however many there are. An error ends it; so does closing the iterator,
    which waits for what is being worked on and drops the rest.

    >>> list(map_in_order(str.upper, ["a", "b", "c"], workers=2))
    ['A', 'B', 'C']
    """
    waiting: deque[Future[Result]] = deque()
    source = iter(items)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="read")
    try:
        for item in itertools.islice(source, workers * WAITING_FOR_EACH_WORKER):
            waiting.append(pool.submit(work, item))
        while waiting:
            yield waiting.popleft().result()
            for item in itertools.islice(source, 1):
                waiting.append(pool.submit(work, item))
    finally:
        pool.shutdown(cancel_futures=True)


def _one_line(error: object) -> str:
    """Return a message without line breaks, and without the queries of URLs."""
    return " ".join(re.sub(r"\?[^\s\"]*", "", str(error)).split())[:300]
