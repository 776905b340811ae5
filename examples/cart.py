"""A shopping cart in two regions: what a split brain loses, how to find it, how to mend it, and how not to lose it.

Run it with ``python examples/cart.py``; it needs boto3. A cart that is one item loses what was added on the other side
of a cut: the last writer wins, item by item. On AWS nobody hears of it. Here the write that lost is on record in the
conflict feed, with its whole image, so the cart can be put together again. A cart of one item for each line has nothing
to mend.
"""

from __future__ import annotations

from typing import Any

from atoll import Cluster

EAST, WEST = "us-east-1", "eu-west-1"
CART = {"id": {"S": "ada"}}


def main() -> None:
    """Fill a cart on both sides of a cut, see what is lost, mend it, and do it better."""
    with Cluster(regions=(EAST, WEST)) as cluster:
        cluster.create_global_table("carts", hash_key="id")
        cluster.create_global_table("lines", hash_key="cart", range_key="article")
        east, west = cluster.client(EAST), cluster.client(WEST)

        print("One item a cart:")
        add(east, "coconut")
        cluster.wait_converged("carts")
        cluster.pause(f"{EAST}->{WEST}")
        cluster.pause(f"{WEST}->{EAST}")
        add(east, "hammock")
        add(west, "ukulele")
        print(f"  cut: {EAST} has {articles(east)}, {WEST} has {articles(west)}")
        heal(cluster, "carts")
        print(f"  healed: both have {articles(east)}")

        for lost in cluster.admin(EAST).conflict_page(table="carts").conflicts:
            print(f"  on record: a write of {lost.loser.origin} lost {', '.join(lost.attributes_lost)}")
            mend(east, lost.loser.image or {})
        cluster.wait_converged("carts")
        print(f"  mended: both have {articles(west)}")

        print("One item a line:")
        cluster.pause(f"{EAST}->{WEST}")
        cluster.pause(f"{WEST}->{EAST}")
        add_line(east, "hammock")
        add_line(west, "ukulele")
        heal(cluster, "lines")
        conflicts = cluster.admin(EAST).conflict_page(table="lines").conflicts
        print(f"  healed: both have {lines(east)}; conflicts: {len(conflicts)}")


def heal(cluster: Cluster, table: str) -> None:
    """End the cut, and wait until both regions hold the same."""
    cluster.resume(f"{EAST}->{WEST}")
    cluster.resume(f"{WEST}->{EAST}")
    cluster.wait_converged(table)


def add(client: Any, article: str) -> None:
    """Put an article into the cart that is one item."""
    client.update_item(
        TableName="carts",
        Key=CART,
        UpdateExpression="SET articles = list_append(if_not_exists(articles, :none), :more)",
        ExpressionAttributeValues={":none": {"L": []}, ":more": {"L": [{"S": article}]}},
    )


def articles(client: Any) -> str:
    """Return what is in that cart."""
    item = client.get_item(TableName="carts", Key=CART)["Item"]
    return ", ".join(sorted(article["S"] for article in item["articles"]["L"]))


def mend(client: Any, loser: dict[str, Any]) -> None:
    """Put what the losing write held, and the cart does not, into the cart.

    The condition makes it safe against whoever uses the cart meanwhile. What was taken out on one side only comes back,
    as in any union: a design that must know about removals has to record them.
    """
    while True:
        item = client.get_item(TableName="carts", Key=CART, ConsistentRead=True)["Item"]
        known = item["articles"]["L"]
        missing = [article for article in loser.get("articles", {}).get("L", ()) if article not in known]
        if not missing:
            return
        try:
            client.update_item(
                TableName="carts",
                Key=CART,
                UpdateExpression="SET articles = list_append(articles, :missing)",
                ConditionExpression="articles = :known",
                ExpressionAttributeValues={":missing": {"L": missing}, ":known": {"L": known}},
            )
        except client.exceptions.ConditionalCheckFailedException:
            continue


def add_line(client: Any, article: str) -> None:
    """Put an article into the cart that is one item a line: two regions write different items."""
    client.put_item(TableName="lines", Item={"cart": {"S": "ada"}, "article": {"S": article}})


def lines(client: Any) -> str:
    """Return what is in that cart."""
    values = {":cart": {"S": "ada"}}
    found = client.query(TableName="lines", KeyConditionExpression="cart = :cart", ExpressionAttributeValues=values)
    return ", ".join(item["article"]["S"] for item in found["Items"])


if __name__ == "__main__":
    main()
