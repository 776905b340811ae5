"""Free ports for regions, held so that nobody else takes them before, between and after a region's lives.

What: a reservation binds a port and never listens. On Linux a second socket with ``SO_REUSEADDR`` may bind the same
port as long as nobody listens, so the region listens where its parent reserves; while the region is dead, connections
are refused, as they should be, and neither the kernel nor another program is given the port.

Hazard: elsewhere than on Linux the region could not bind a reserved port, so there the reservation is given up at
once, and another program can win the race; the region then says that its port is taken.

Source: socket(7), ``SO_REUSEADDR``; ip(7), ``ip_local_port_range``.
"""

from __future__ import annotations

import socket
import sys
from typing import Final

_HOLDS: Final = sys.platform == "linux"


class Reservation:
    """One reserved port of an address."""

    def __init__(self, host: str, port: int = 0) -> None:
        """Reserve ``port``, or any free one for 0. Raises :class:`OSError` if somebody listens there."""
        self._socket: socket.socket | None = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError:
            self.release()
            raise
        self.port: int = self._socket.getsockname()[1]
        if not _HOLDS:
            self.release()

    def release(self) -> None:
        """Give the port up. May be called again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def reserve(host: str, ports: list[int]) -> list[Reservation]:
    """Reserve all of these ports (0: any), or none of them.

    Raises:
        OSError: one of them is taken.
    """
    reservations: list[Reservation] = []
    try:
        reservations.extend(Reservation(host, port) for port in ports)
    except OSError:
        for reservation in reservations:
            reservation.release()
        raise
    return reservations
