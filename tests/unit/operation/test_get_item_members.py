"""GetItem has no ExpressionAttributeValues: what stands there is ignored, as any member that the model does not know."""

from transaction_region import TransactionRegion, key


async def test_values_without_an_expression_to_use_them_are_ignored_by_get_item() -> None:
    region = await TransactionRegion().start()
    await region.run("PutItem", TableName="plain", Item={**key("a"), "x": {"N": "1"}})
    answer = await region.run(
        "GetItem",
        TableName="plain",
        Key=key("a"),
        ProjectionExpression="#x",
        ExpressionAttributeNames={"#x": "x"},
        ExpressionAttributeValues={":unused": {"S": "x"}},
    )
    assert answer == {"Item": {"x": {"N": "1"}}}
    region.store.close()
