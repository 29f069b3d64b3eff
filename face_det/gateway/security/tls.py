"""https: a certificate and its key, which are loaded again when they are renewed."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from face_det.errors import ConfigError

_LOG = logging.getLogger(__name__)


class TlsFiles:
    """The certificate and the key, in the context that serves connections; raises ConfigError at first.

    New connections get a renewed certificate after the next `refresh`. One that cannot be used, because
    only half of it has been written, say, leaves the old one in use.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._paths = (certificate, key)
        self._seen = self._signature()
        try:
            self.context = self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        except (OSError, ValueError) as error:
            raise ConfigError([self._describe(error)]) from error

    def refresh(self) -> bool:
        """Load the files again if they have changed; return True if new ones are in use."""
        signature = self._signature()
        if signature == self._seen:
            return False
        self._seen = signature
        try:
            # First into a context that nobody uses: this one must not be left with half a pair.
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load(self.context)
        except (OSError, ValueError) as error:
            _LOG.error("the old certificate stays in use: %s", self._describe(error))
            return False
        _LOG.info("a renewed certificate is in use: %s", self._paths[0])
        return True

    def _load(self, context: ssl.SSLContext) -> ssl.SSLContext:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(*self._paths, password="")
        return context

    def _describe(self, error: Exception) -> str:
        reason = (error.strerror or error) if isinstance(error, OSError) else error
        return (
            f"http.tlsCertificate {self._paths[0]}, http.tlsKey {self._paths[1]}: must be a certificate in "
            f"PEM and its key, without a password, got: {reason}"
        )

    def _signature(self) -> tuple[tuple[int, ...] | None, ...]:
        return tuple(_signature(path) for path in self._paths)


def _signature(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
