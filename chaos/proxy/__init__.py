"""An embedded TCP proxy that misbehaves on request, with the HTTP API of Toxiproxy."""

from chaos.proxy.server import PORT, ProxyServer
from chaos.proxy.toxic import ApiError

__all__ = ["PORT", "ApiError", "ProxyServer"]
