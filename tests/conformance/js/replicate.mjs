// One step of the conformance test of the JavaScript SDK v3; prints what it learned as JSON.
//
// Usage: node replicate.mjs <create|write|read|errors>. The endpoints come in ATOLL_ENDPOINTS, an object by region.
// Each step is a process of its own, so that the test can wait for replication between them.

import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  UpdateTableCommand,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import {
  BatchWriteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  paginateQuery,
  PutCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";

const TABLE = "javascript";
const endpoints = JSON.parse(process.env.ATOLL_ENDPOINTS);

const open = (region) => new DynamoDBClient({ region, endpoint: endpoints[region] });
const virginia = open("us-east-1");
const documents = { virginia: DynamoDBDocumentClient.from(virginia), ireland: DynamoDBDocumentClient.from(open("eu-west-1")) };

const steps = {
  // Creates the table, adds a replica, and answers with the table's state once it exists.
  async create() {
    await virginia.send(
      new CreateTableCommand({
        TableName: TABLE,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [
          { AttributeName: "pk", AttributeType: "S" },
          { AttributeName: "sk", AttributeType: "N" },
        ],
        KeySchema: [
          { AttributeName: "pk", KeyType: "HASH" },
          { AttributeName: "sk", KeyType: "RANGE" },
        ],
      }),
    );
    await waitUntilTableExists({ client: virginia, maxWaitTime: 30, minDelay: 1 }, { TableName: TABLE });
    await virginia.send(
      new UpdateTableCommand({ TableName: TABLE, ReplicaUpdates: [{ Create: { RegionName: "eu-west-1" } }] }),
    );
    const { Table } = await virginia.send(new DescribeTableCommand({ TableName: TABLE }));
    return { version: Table.GlobalTableVersion };
  },

  // Writes in us-east-1: one rich item, one counter, one batch.
  async write() {
    const item = {
      pk: "ann",
      sk: 1,
      name: "Ånn ☃",
      price: 12.5,
      flags: { open: true, nothing: null },
      list: [1, "two", [3]],
      tags: new Set(["a", "b"]),
      raw: new Uint8Array([0, 1, 255]),
    };
    await documents.virginia.send(new PutCommand({ TableName: TABLE, Item: item }));
    const { Attributes } = await documents.virginia.send(
      new UpdateCommand({
        TableName: TABLE,
        Key: { pk: "counter", sk: 0 },
        UpdateExpression: "SET hits = if_not_exists(hits, :zero) + :two",
        ExpressionAttributeValues: { ":zero": 0, ":two": 2 },
        ReturnValues: "UPDATED_NEW",
      }),
    );
    const puts = Array.from({ length: 25 }, (_, n) => ({ PutRequest: { Item: { pk: "batch", sk: n } } }));
    const { UnprocessedItems } = await documents.virginia.send(new BatchWriteCommand({ RequestItems: { [TABLE]: puts } }));
    return { hits: Attributes.hits, unprocessed: Object.keys(UnprocessedItems).length };
  },

  // Reads all of it in eu-west-1, the batch page by page.
  async read() {
    const { Item } = await documents.ireland.send(
      new GetCommand({ TableName: TABLE, Key: { pk: "ann", sk: 1 }, ConsistentRead: true }),
    );
    const counter = await documents.ireland.send(new GetCommand({ TableName: TABLE, Key: { pk: "counter", sk: 0 } }));
    const batch = [];
    const query = {
      TableName: TABLE,
      KeyConditionExpression: "pk = :p AND sk BETWEEN :from AND :to",
      ExpressionAttributeValues: { ":p": "batch", ":from": 5, ":to": 20 },
      Limit: 4,
    };
    for await (const page of paginateQuery({ client: documents.ireland }, query)) {
      batch.push(...page.Items.map((found) => found.sk));
    }
    return { item: { ...Item, tags: [...Item.tags].sort(), raw: [...Item.raw] }, hits: counter.Item.hits, batch };
  },

  // Makes mistakes on purpose, and answers with the error that the SDK makes of each.
  async errors() {
    const seen = [];
    const attempts = [
      new GetCommand({ TableName: "missing", Key: { pk: "a", sk: 1 } }),
      new GetCommand({ TableName: TABLE, Key: { pk: "a" } }),
      new PutCommand({
        TableName: TABLE,
        Item: { pk: "ann", sk: 1 },
        ConditionExpression: "attribute_not_exists(pk)",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }),
    ];
    for (const attempt of attempts) {
      try {
        await documents.virginia.send(attempt);
        seen.push("no error");
      } catch (error) {
        seen.push({ name: error.name, status: error.$metadata.httpStatusCode, old: error.Item !== undefined });
      }
    }
    return seen;
  },
};

console.log(JSON.stringify(await steps[process.argv[2]]()));
