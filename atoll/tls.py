"""The TLS of one region: what its listeners show, and whom they let in.

What: :class:`Tls` makes contexts of the files that ``[tls]`` names: one for the DynamoDB API and the admin address,
and, with ``tls.replication``, two for the links to other regions. :meth:`Tls.reload` takes the files' new content for
connections made from then on; those that stand go on.

Invariants: TLS 1.2 is the least for clients, 1.3 for links, whose both ends are ours. A file that cannot be used stops
a start with a sentence; at a reload it changes nothing.

Source: RFC 8446; Mozilla's "Server Side TLS", intermediate configuration.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NoReturn

from atoll.failure import StartError
from atoll.sections import TlsConfig
from replication.credentials import PeerContexts

REMEDY = "`atoll certificates` makes an authority and certificates; see docs/reference/security.md."


class Tls:
    """The contexts of one region.

    Raises:
        StartError: a file is missing, cannot be read, or does not fit.
    """

    def __init__(self, config: TlsConfig) -> None:
        self._config = config
        self.clients: ssl.SSLContext | None = None
        """For the API and the admin address; ``None``: plain."""
        self.peers: PeerContexts | None = None
        """For links; ``None``: as their URLs say."""
        if config.certificate:
            self.clients = self._for_clients()
        if config.replication:
            self.peers = self._for_peers()

    def reload(self) -> None:
        """Read the files again.

        Raises:
            StartError: they cannot be used; all stays as it was.
        """
        Tls(self._config)
        for context in (self.clients, *(self.peers or ())):
            if context is not None:
                self._fill(context)

    def _for_clients(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._config.client_certificates:
            context.verify_mode = ssl.CERT_REQUIRED
        self._fill(context)
        return context

    def _for_peers(self) -> PeerContexts:
        accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        connecting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Not the host's name counts, which a proxy may have of its own, but the region's, which the link looks at.
        connecting.check_hostname = False
        for context in (accepting, connecting):
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.verify_mode = ssl.CERT_REQUIRED
            self._fill(context)
        return PeerContexts(accepting, connecting)

    def _fill(self, context: ssl.SSLContext) -> None:
        config = self._config
        for file in filter(None, (config.certificate, config.key, config.authorities)):
            try:
                Path(file).read_bytes()
            except OSError as error:
                _refuse(file, error.strerror or str(error), error)
        try:
            context.load_cert_chain(config.certificate, config.key or None, password=_no_password)
        except (OSError, ValueError) as error:
            _refuse(f"{config.certificate} with {config.key or 'the key in it'}", str(error), error)
        if context.verify_mode is ssl.CERT_REQUIRED:
            try:
                context.load_verify_locations(cafile=config.authorities)
            except OSError as error:
                _refuse(config.authorities, str(error), error)


def _no_password() -> str:
    """Refuse to wait at a terminal for the password of a key."""
    raise ValueError("the key is encrypted; give one that is not, and keep it from others by its file's mode")


def _refuse(what: str, why: str, error: Exception) -> NoReturn:
    raise StartError(f"{what} cannot be used for TLS: {why}.", REMEDY) from error
