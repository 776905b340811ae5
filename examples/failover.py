"""A region dies under an application: what its clients do, what is missing meanwhile, and what is lost in the end.

Run it with ``python examples/failover.py``; it needs boto3. The network away from us-east-1 stalls first, so that some
writes are acknowledged there and nowhere else: that is the recovery point (RPO) that one pays for when the region dies.
``atoll rpo`` counts it beforehand. When the region comes back, its orders arrive after all; what both sides changed is
settled by last writer wins, and the write that lost is on record.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError

from atoll import Cluster

HOME, AWAY, THIRD = "us-east-1", "eu-west-1", "ap-northeast-1"
T = TypeVar("T")


class Application:
    """Orders, written in the first region that answers."""

    def __init__(self, cluster: Cluster) -> None:
        # Who wants to fail over must not wait for long, nor try the same region again and again.
        impatient = ClientConfig(connect_timeout=0.5, read_timeout=1, retries={"total_max_attempts": 1})
        self._clients = {region: cluster.client(region, config=impatient) for region in cluster.regions}
        self.region = HOME

    def place(self, order: str, state: str) -> None:
        """Write an order."""
        item = {"id": {"S": order}, "state": {"S": state}}
        self._call(lambda client: client.put_item(TableName="orders", Item=item))

    def state(self, order: str) -> str:
        """Return the state of an order, as this application's region knows it."""
        found = self._call(lambda client: client.get_item(TableName="orders", Key={"id": {"S": order}}))
        return str(found["Item"]["state"]["S"]) if "Item" in found else "unknown here"

    def _call(self, ask: Callable[[Any], T]) -> T:
        """Ask the region that answered last, and then each other in turn."""
        others = [region for region in self._clients if region != self.region]
        for region in (self.region, *others):
            try:
                answer = ask(self._clients[region])
            except (BotoCoreError, ClientError) as error:
                # A 4xx is an answer; anything else, and silence, is a region to leave.
                if isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    raise
                continue
            if region != self.region:
                print(f"  {self.region} does not answer: the application goes on in {region}.")
                self.region = region
            return answer
        raise RuntimeError("No region answers.")


def main() -> None:
    """Lose a region with writes that nobody else has, go on elsewhere, and get it back."""
    with Cluster(regions=(HOME, AWAY, THIRD)) as cluster:
        cluster.create_global_table("orders")
        application = Application(cluster)
        for number in (1, 2):
            application.place(f"order-{number}", "paid")
        cluster.wait_converged("orders")
        print("Two orders are everywhere.")

        cluster.pause(HOME)
        application.place("order-2", "shipped")
        application.place("order-3", "paid")
        print("The network stalls; two more writes are acknowledged. atoll rpo says of them:")
        atoll_rpo(cluster)

        cluster.kill(HOME)
        print(f"{HOME} is gone.")
        begun = time.monotonic()
        print("  order-1:", application.state("order-1"))
        print(f"  That took {time.monotonic() - begun:.2f} s.")
        print("  order-2:", application.state("order-2"), "(it was shipped)")
        print("  order-3:", application.state("order-3"), "(it was paid)")
        application.place("order-2", "cancelled")
        application.place("order-4", "paid")
        print("  Meanwhile order-2 is cancelled and order-4 is paid.")

        cluster.restart(HOME)
        cluster.resume(HOME)
        cluster.wait_converged("orders")
        print(f"{HOME} is back, with its file; in {application.region} now:")
        for number in (1, 2, 3, 4):
            print(f"  order-{number}:", application.state(f"order-{number}"))
        for lost in cluster.admin(application.region).conflict_page(table="orders").conflicts:
            state = (lost.loser.image or {})["state"]["S"]
            print(f"Lost: {lost.item_key} {state!r} of {lost.loser.origin}, to a later write of {lost.winner.origin}.")
        print("Everything else has arrived.")


def atoll_rpo(cluster: Cluster) -> None:
    """Run ``atoll rpo`` as a person would."""
    command = [sys.executable, "-P", "-m", "atoll", "rpo", HOME, "--list", "--cluster", str(cluster.data)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    print("".join(f"  {line.rstrip()}\n" for line in shown.splitlines()), end="")


if __name__ == "__main__":
    main()
