"""Replication: ships a region's changes to its peers and applies theirs; see ``replication/DESIGN.md``."""

from replication.assembly import Assembly, Ports
from replication.lag import Latency, LinkState, LinkStatus
from replication.link import ReplicationSettings
from replication.memory import Fate, Faults, MemoryNetwork, MemoryTransport
from replication.pauses import Direction
from replication.replication import Replication
from replication.transport import Connection, Listener, Transport
from replication.websocket import WebSocketTransport

__all__ = [
    "Assembly",
    "Connection",
    "Direction",
    "Fate",
    "Faults",
    "Latency",
    "LinkState",
    "LinkStatus",
    "Listener",
    "MemoryNetwork",
    "MemoryTransport",
    "Ports",
    "Replication",
    "ReplicationSettings",
    "Transport",
    "WebSocketTransport",
]
