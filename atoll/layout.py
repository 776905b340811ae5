"""How a cluster on one machine is laid out: a folder, three ports and a configuration for every region.

What: the layout is made before any region starts, so that each is told all its peers at once and all start in parallel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from atoll import ports
from atoll.config import Config, TlsConfig
from atoll.failure import PortTakenError
from atoll.trust import Trust

if TYPE_CHECKING:
    from chaos.live.fleet import Way

HOST: Final = "127.0.0.1"
CLIENT: Final = "client"
"""The name of the certificate of a cluster's clients: commands, pages, the gateway, applications."""


class Layout(NamedTuple):
    """The configurations, in the order of the regions, and the reservations that keep their ports free.

    ``gateway_port`` is one more port, for the gateway: the one after the last API port, where these are given.
    """

    configs: list[Config]
    reservations: list[ports.Reservation]
    gateway_port: int
    ways: dict[tuple[str, str], Way]
    """The proxy of every directed link, where links have proxies."""


def lay_out(
    regions: Sequence[str],
    data: Path,
    template: Config,
    api_port: int | None,
    clock_offset_ms: Mapping[str, int],
    *,
    proxied: bool = False,
    certificates: Path | None = None,
) -> Layout:
    """Reserve ports and make every region's configuration.

    Args:
        regions: the names of the regions.
        data: the cluster's folder; every region gets one of its own in it.
        template: the settings that all regions share.
        api_port: the first region's API port, the others and the gateway taking the following ones; ``None`` takes any
            free ones.
        clock_offset_ms: how far clocks are off, by region.
        proxied: whether a sink reaches each source through a proxy of that link.
        certificates: the folder of the certificates with which clients and links speak TLS; ``None``: they do not.

    Raises:
        PortTakenError: one of the API ports is taken.
    """
    count = len(regions)
    wanted = [0 if api_port is None else api_port + i for i in range(count + 1)]
    try:
        *apis, gateway = ports.reserve(HOST, wanted)
    except OSError as error:
        raise PortTakenError(
            f"The ports from {wanted[0]} to {wanted[-1]} are not all free ({error.strerror}).",
            "Choose another API port, or none to take any free ports.",
        ) from error
    admins = ports.reserve(HOST, [0] * count)
    links = ports.reserve(HOST, [0] * count)
    direct = {region: (HOST, link.port) for region, link in zip(regions, links, strict=True)}
    ways, fronts = _ways(direct, certificates) if proxied else ({}, [])

    def url(source: str, sink: str) -> str:
        host, port = ways[source, sink].listen if proxied else direct[source]
        return f"{'ws' if certificates is None else 'wss'}://{host}:{port}"

    configs = [
        msgspec.structs.replace(
            template,
            region=region,
            data=str(data / region),
            api=msgspec.structs.replace(template.api, host=HOST, port=api.port),
            tls=template.tls if certificates is None else _tls(template.tls, certificates, region),
            admin=msgspec.structs.replace(template.admin, host=HOST, port=admin.port),
            replication=msgspec.structs.replace(
                template.replication,
                host=HOST,
                port=link.port,
                peers={peer: url(peer, region) for peer in regions if peer != region},
            ),
            clock=msgspec.structs.replace(template.clock, offset_ms=clock_offset_ms.get(region, 0)),
        )
        for region, api, admin, link in zip(regions, apis, admins, links, strict=True)
    ]
    return Layout(configs, [*apis, gateway, *admins, *links, *fronts], gateway.port, ways)


def certify(folder: Path, regions: Sequence[str]) -> Path:
    """Make certificates for the regions and one for all clients, in a folder; return it."""
    # Loaded on first use: most clusters speak no TLS.
    from atoll import authority  # noqa: PLC0415
    from clock import SystemClock  # noqa: PLC0415

    authority.make(folder, regions=regions, clients=(CLIENT,), now_ms=SystemClock().now_ms())
    return folder


def routes(plan: Layout, trust: Trust | None) -> list[str]:
    """Return the arguments of a gateway for all regions of a layout."""
    web = f"{'http' if trust is None else 'https'}://{HOST}"
    return [
        f"--port={plan.gateway_port}",
        *(f"--region={each.region}={web}:{each.api.port}" for each in plan.configs),
        *(f"--admin={each.region}={web}:{each.admin.port}" for each in plan.configs),
        *(f"--{name}={file}" for name, file in (msgspec.structs.asdict(trust) if trust else {}).items()),
    ]


def trust(certificates: Path) -> Trust:
    """Return what programs on this machine show and whom they trust, by a cluster's certificates."""
    return Trust(
        authorities=str(certificates / "ca.pem"),
        certificate=str(certificates / f"{CLIENT}.pem"),
        key=str(certificates / f"{CLIENT}-key.pem"),
    )


def _tls(template: TlsConfig, certificates: Path, region: str) -> TlsConfig:
    return msgspec.structs.replace(
        template,
        certificate=str(certificates / f"{region}.pem"),
        key=str(certificates / f"{region}-key.pem"),
        authorities=str(certificates / "ca.pem"),
        replication=True,
    )


def _ways(
    direct: Mapping[str, tuple[str, int]], certificates: Path | None
) -> tuple[dict[tuple[str, str], Way], list[ports.Reservation]]:
    """Reserve a port for the proxy of every directed link."""
    # Loaded on first use: `import atoll` must not look for a package that a user's folder may have, too.
    from chaos.live.fleet import Way  # noqa: PLC0415

    pairs = [(source, sink) for source in direct for sink in direct if source != sink]
    fronts = ports.reserve(HOST, [0] * len(pairs))
    tls = None if certificates is None else trust(certificates).context()
    ways = {
        (source, sink): Way(f"{source}->{sink}", (HOST, front.port), direct[source], tls)
        for (source, sink), front in zip(pairs, fronts, strict=True)
    }
    return ways, fronts
