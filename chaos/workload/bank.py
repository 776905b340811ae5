"""Bank: transfers between accounts by transaction; whoever looks must see the same total.

What: every region has a bank of its own, and transfers within it alone, so that no transfer conflicts with another
region's; clients of all regions look at all banks. Applied as a group, a transfer never shows half of itself anywhere.

What it is good for: transactions, their tokens, and their delivery as a group.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from chaos.history import TAG, Access, Recorder, key_text
from chaos.workload.session import Answer, Session, Step, tag_in
from chaos.workload.workload import Ground, Workload, chance, pick
from region.randomness import Rng

OPENING: Final = 100
"""What is in an account at first."""
AMOUNT: Final = "amount"
RETRIES: Final = 10
RETRY_S: Final = 0.5
REFUSED: Final = "ConnectionRefused"


class Bank(Workload):
    """Transfers within the region's own bank, and looks at any."""

    name: ClassVar[str] = "bank"

    async def prepare(self, ground: Ground) -> None:
        """Open the accounts of every region's bank, in that region."""
        for region in ground.regions:
            await self.session(ground, region).perform(self._opening(ground.recorder, region))

    async def act(self, session: Session, ground: Ground, rng: Rng) -> None:
        """Look at a bank, or transfer something; again under the same token where the outcome is unknown."""
        if chance(rng, 0.4):
            await session.perform(self._look(pick(rng, ground.regions)))
            return
        step = self._transfer(ground.recorder, session.region, rng)
        await session.perform(step)
        unknown = session.error is not None and not session.error.definite
        for _ in range(RETRIES if unknown else 0):
            # What an application does that has had no answer: the token makes it one transfer all the same.
            await asyncio.sleep(RETRY_S)
            await session.perform(step._replace(f="transfer-again"))
            if session.error is None or (session.error.definite and session.error.name != REFUSED):
                break

    def _key(self, region: str, number: int) -> dict[str, Any]:
        return {"pk": {"S": f"{region}-{number}"}}

    def _opening(self, recorder: Recorder, region: str) -> Step:
        keys = [self._key(region, number) for number in range(self.keys)]
        tags = [recorder.tag() for _ in keys]
        puts = [
            {"Put": {"TableName": self.table, "Item": {**key, AMOUNT: {"N": str(OPENING)}, TAG: {"S": tag}}}}
            for key, tag in zip(keys, tags, strict=True)
        ]
        accesses = tuple(Access("w", self.table, key_text(key), tag) for key, tag in zip(keys, tags, strict=True))
        return Step("open", "TransactWriteItems", {"TransactItems": puts}, accesses)

    def _transfer(self, recorder: Recorder, region: str, rng: Rng) -> Step:
        payer = int(rng.uniform(0, self.keys))
        payee = (payer + 1 + int(rng.uniform(0, self.keys - 1))) % self.keys
        amount = 1 + int(rng.uniform(0, OPENING / 4))
        parts, accesses = [], []
        for number, sign in ((payer, "-"), (payee, "+")):
            tag, key = recorder.tag(), self._key(region, number)
            values = {":amount": {"N": str(amount)}, ":tag": {"S": tag}}
            part = {
                "TableName": self.table,
                "Key": key,
                "UpdateExpression": f"SET amount = amount {sign} :amount, #tag = :tag",
                "ConditionExpression": "amount >= :amount" if sign == "-" else "attribute_exists(amount)",
                "ExpressionAttributeNames": {"#tag": TAG},
                "ExpressionAttributeValues": values,
            }
            parts.append({"Update": part})
            accesses.append(Access("w", self.table, key_text(key), tag))
        request = {"TransactItems": parts, "ClientRequestToken": rng.token(16)}
        return Step("transfer", "TransactWriteItems", request, tuple(accesses), value=[payer, payee, amount])

    def _look(self, region: str) -> Step:
        keys = [self._key(region, number) for number in range(self.keys)]
        texts = [key_text(key) for key in keys]

        def found(answer: Answer) -> tuple[Access, ...]:
            items = [response.get("Item") for response in answer["Responses"]]
            return tuple(Access("r", self.table, text, tag_in(it)) for text, it in zip(texts, items, strict=True))

        return Step(
            "look",
            "TransactGetItems",
            {"TransactItems": [{"Get": {"TableName": self.table, "Key": key}} for key in keys]},
            tuple(Access("r", self.table, text) for text in texts),
            found=found,
            told=amounts,
            value=region,
        )


def amounts(answer: Answer) -> list[int | None]:
    """Return what the accounts hold, ``None`` for one that is not open here yet."""
    items = [response.get("Item") for response in answer["Responses"]]
    return [None if it is None or AMOUNT not in it else int(it[AMOUNT]["N"]) for it in items]
