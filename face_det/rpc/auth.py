"""Decides who may connect over tcp: enables CURVE and answers ZeroMQ's question about each client.

Before ZeroMQ reads anything from a client, it asks a socket of ours (RFC 27, ZAP) whether the client's
public key is authorised. A client whose key is removed later is already connected, so every message is
checked against the list as well.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq.green as zmq
from zmq.utils import z85

from face_det.errors import ConfigError
from face_det.rpc import endpoint, keys
from face_det.rpc.address import Endpoint
from face_det.rpc.keys import KeyPair

log = logging.getLogger(__name__)

ZAP = "inproc://zeromq.zap.01"
DOMAIN = b"face_det"
LOCAL_CLIENT = "local"
"""The name of a client that uses the server's own key, as `face-det doctor` does."""
HANDSHAKE_S = 10.0
WARNING_INTERVAL_S = 10.0
"""Rejected clients are logged at most this often."""


def create_authenticator(place: Endpoint, folder: Path, *, insecure: bool) -> Authenticator | None:
    """Return what authenticates clients: an Authenticator for tcp with keys, otherwise None.

    Raises ConfigError if other machines could connect without keys, unless `insecure` allows it.
    """
    if place.path is not None:
        return None
    pair = keys.load_server_keys(folder)
    if pair is not None:
        return Authenticator(folder, pair)
    if endpoint.is_reachable_from_outside(place):
        if not insecure:
            raise ConfigError(
                [
                    f"zerorpcPipe: {place.text} can be reached from other machines and needs keys, but "
                    f"{folder} has none; run 'face-det keys server', or listen on 127.0.0.1 or ipc, or set "
                    '"insecureTcp": true if the network itself keeps others out'
                ]
            )
        log.warning("%s has no keys and insecureTcp is true: anyone who can reach it may call", place.text)
    return None


class Authenticator:
    """Encrypts a server's socket and admits the clients whose keys are in the folder."""

    def __init__(self, folder: Path, pair: KeyPair) -> None:
        self._folder = folder
        self._pair = pair
        self._clients: Mapping[str, str] = {}
        self._zap: Any = None
        self._refused = 0
        self._complained = float("-inf")
        self.reload()

    def reload(self) -> None:
        """Read the clients' keys again; if one is unusable, raise ConfigError and keep the old ones."""
        clients = {**keys.load_authorised_keys(self._folder), self._pair.public: LOCAL_CLIENT}
        added, gone = clients.keys() - self._clients.keys(), self._clients.keys() - clients.keys()
        self._clients = clients
        if added or gone:
            log.info("keys: %d clients (%d new, %d removed)", len(clients) - 1, len(added), len(gone))
        if len(clients) == 1:
            log.warning("no client has a key yet: nobody can call; run 'face-det keys add NAME'")

    def protect(self, context: Any, socket: Any) -> None:
        """Enable CURVE on a socket that is not bound yet, and make ZeroMQ ask us about each client."""
        self._zap = context.socket(zmq.REP)
        self._zap.setsockopt(zmq.LINGER, 0)
        self._zap.bind(ZAP)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._pair.secret.encode("ascii"))
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self._pair.public.encode("ascii"))
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        # Without this, every client would be admitted if our answers ever failed to arrive.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.HANDSHAKE_IVL, int(HANDSHAKE_S * 1000))

    def answer(self) -> None:
        """Answer ZeroMQ's questions for ever."""
        while True:
            request = self._zap.recv_multipart()
            self._zap.send_multipart(self._reply(request))

    def admits(self, part: Any) -> bool:
        """Return True if the sender of a message frame is still authorised."""
        try:
            return part.get("User-Id") in self._clients
        except zmq.ZMQError:
            return False

    def close(self) -> None:
        """Stop answering."""
        self._zap.close(linger=0)

    def _reply(self, request: list[bytes]) -> list[bytes]:
        # version, request id, domain, address, identity, mechanism, credentials
        known = (
            len(request) == 7 and request[2] == DOMAIN and request[5] == b"CURVE" and len(request[6]) == 32
        )
        public = z85.encode(request[6]).decode("ascii") if known else ""
        ours = public in self._clients
        if not ours:
            self._complain(request[3].decode("ascii", "replace") if len(request) > 3 else "?")
        status = [b"200", b"OK", public.encode("ascii")] if ours else [b"400", b"no", b""]
        return [*(request[:2] if len(request) > 1 else [b"1.0", b""]), *status, b""]

    def _complain(self, address: str) -> None:
        self._refused += 1
        now = time.monotonic()
        if now - self._complained >= WARNING_INTERVAL_S:
            self._complained = now
            log.warning("refused a client without an authorised key, %s (%d so far)", address, self._refused)
