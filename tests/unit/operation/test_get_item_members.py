"""Operations that have a projection alone ignore ExpressionAttributeValues, as any member unknown to the model."""

from transaction_region import TransactionRegion, key

PROJECTED = {
    "ProjectionExpression": "#x",
    "ExpressionAttributeNames": {"#x": "x"},
    "ExpressionAttributeValues": {":unused": {"S": "x"}},
}


async def test_values_that_no_expression_could_use_are_ignored() -> None:
    region = await TransactionRegion().start()
    await region.run("PutItem", TableName="plain", Item={**key("a"), "x": {"N": "1"}})
    found = {"Item": {"x": {"N": "1"}}}
    assert await region.run("GetItem", TableName="plain", Key=key("a"), **PROJECTED) == found
    got = await region.run("BatchGetItem", RequestItems={"plain": {"Keys": [key("a")], **PROJECTED}})
    assert got["Responses"] == {"plain": [found["Item"]]}
    read = await region.read({"Get": {"TableName": "plain", "Key": key("a"), **PROJECTED}})
    assert read["Responses"] == [found]
    region.store.close()
