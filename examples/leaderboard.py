"""A leaderboard on a global secondary index: the best of a game, a player's own best, and the rank between them.

Run it with ``python examples/leaderboard.py``; it needs boto3. The table is by player and game, so a score is written
with one conditional update. The index turns it around: by game, ordered by score. An index is sparse: a score without
``board`` is not in it, which is how a player leaves the board without losing anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from atoll import Cluster

REGION = "us-east-1"


class Leaderboard:
    """Scores of players in games."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def create_table(self) -> None:
        """Make the table and its index."""
        self._client.create_table(
            TableName="scores",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "player", "AttributeType": "S"},
                {"AttributeName": "game", "AttributeType": "S"},
                {"AttributeName": "board", "AttributeType": "S"},
                {"AttributeName": "score", "AttributeType": "N"},
            ],
            KeySchema=[
                {"AttributeName": "player", "KeyType": "HASH"},
                {"AttributeName": "game", "KeyType": "RANGE"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "best",
                    "KeySchema": [
                        {"AttributeName": "board", "KeyType": "HASH"},
                        {"AttributeName": "score", "KeyType": "RANGE"},
                    ],
                    # The keys of the table are in every index; a board needs no more.
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )

    def submit(self, player: str, game: str, score: int) -> bool:
        """Record a score, if it is the player's best; return whether it was."""
        try:
            self._client.update_item(
                TableName="scores",
                Key={"player": {"S": player}, "game": {"S": game}},
                UpdateExpression="SET score = :score, board = :board",
                ConditionExpression="attribute_not_exists(score) OR score < :score",
                ExpressionAttributeValues={":score": {"N": str(score)}, ":board": {"S": game}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def withdraw(self, player: str, game: str) -> None:
        """Take a player off the board; the score stays theirs."""
        key = {"player": {"S": player}, "game": {"S": game}}
        self._client.update_item(TableName="scores", Key=key, UpdateExpression="REMOVE board")

    def top(self, game: str, count: int) -> Iterator[tuple[str, int]]:
        """Return the best of a game, best first."""
        page = self._client.query(
            TableName="scores",
            IndexName="best",
            KeyConditionExpression="board = :game",
            ExpressionAttributeValues={":game": {"S": game}},
            ScanIndexForward=False,
            Limit=count,
        )
        return ((item["player"]["S"], int(item["score"]["N"])) for item in page["Items"])

    def rank(self, player: str, game: str) -> int:
        """Return how many are better, and one: a count costs what reading the better ones costs."""
        own = self._client.get_item(TableName="scores", Key={"player": {"S": player}, "game": {"S": game}})["Item"]
        pages = self._client.get_paginator("query").paginate(
            TableName="scores",
            IndexName="best",
            KeyConditionExpression="board = :game AND score > :own",
            ExpressionAttributeValues={":game": {"S": game}, ":own": own["score"]},
            Select="COUNT",
        )
        return 1 + sum(page["Count"] for page in pages)


def main() -> None:
    """Play, and look at the board."""
    with Cluster(regions=(REGION,)) as cluster:
        board = Leaderboard(cluster.client(REGION))
        board.create_table()
        for player, score in (("ada", 310), ("bob", 120), ("cy", 250), ("dee", 90), ("ada", 280), ("bob", 260)):
            kept = board.submit(player, "surf", score)
            print(f"{player} scores {score}{'' if kept else ', which is not their best'}.")
        print("Top three:", ", ".join(f"{player} {score}" for player, score in board.top("surf", 3)))
        print(f"Dee is number {board.rank('dee', 'surf')}.")
        board.withdraw("ada", "surf")
        print("Ada has withdrawn:", ", ".join(f"{player} {score}" for player, score in board.top("surf", 3)))


if __name__ == "__main__":
    main()
