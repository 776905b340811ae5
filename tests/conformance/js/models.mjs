// One step of the conformance test of two data mappers from npm, ElectroDB and Dynamoose; prints what it learned as JSON.
//
// Usage: node models.mjs <electrodb|dynamoose>. ATOLL_ENDPOINT is the region's endpoint. Both run unmodified.

import { CreateTableCommand, DynamoDBClient, waitUntilTableExists } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import dynamoose from "dynamoose";
import { Entity, Service } from "electrodb";

const region = "us-east-1";
const endpoint = process.env.ATOLL_ENDPOINT;
const client = new DynamoDBClient({ region, endpoint });

async function createElectroTable(table) {
  const names = ["pk", "sk", "gsi1pk", "gsi1sk"];
  await client.send(
    new CreateTableCommand({
      TableName: table,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: "gsi1",
          KeySchema: [
            { AttributeName: "gsi1pk", KeyType: "HASH" },
            { AttributeName: "gsi1sk", KeyType: "RANGE" },
          ],
          Projection: { ProjectionType: "ALL" },
        },
      ],
    }),
  );
  await waitUntilTableExists({ client, maxWaitTime: 30, minDelay: 1 }, { TableName: table });
}

// A single table with two entities, as ElectroDB's own documentation shows it.
function shop(table) {
  const options = { client: DynamoDBDocumentClient.from(client), table };
  const order = new Entity(
    {
      model: { entity: "order", version: "1", service: "shop" },
      attributes: {
        customer: { type: "string", required: true },
        order: { type: "string", required: true },
        status: { type: ["open", "paid"], required: true, default: "open" },
        total: { type: "number" },
        labels: { type: "set", items: "string" },
      },
      indexes: {
        byCustomer: { pk: { field: "pk", composite: ["customer"] }, sk: { field: "sk", composite: ["order"] } },
        byStatus: {
          index: "gsi1",
          pk: { field: "gsi1pk", composite: ["status"] },
          sk: { field: "gsi1sk", composite: ["order"] },
        },
      },
    },
    options,
  );
  const customer = new Entity(
    {
      model: { entity: "customer", version: "1", service: "shop" },
      attributes: { customer: { type: "string", required: true }, orders: { type: "number", default: 0 } },
      indexes: { primary: { pk: { field: "pk", composite: ["customer"] }, sk: { field: "sk", composite: [] } } },
    },
    options,
  );
  return new Service({ order, customer }, options);
}

const mappers = {
  async electrodb() {
    const table = "electrodb";
    await createElectroTable(table);
    const { entities, transaction } = shop(table);
    const { order, customer } = entities;
    await order.put({ customer: "ann", order: "1", total: 5, labels: ["a", "b"] }).go();
    const puts = ["2", "3", "4"].map((number) => ({ customer: "ann", order: number, total: Number(number) }));
    const { unprocessed } = await order.put(puts).go();
    const { data: item } = await order.get({ customer: "ann", order: "1" }).go();
    await order.update({ customer: "ann", order: "2" }).set({ status: "paid" }).add({ total: 10 }).go();
    const key = { customer: "ann" };
    const { data: range } = await order.query.byCustomer(key).between({ order: "2" }, { order: "3" }).go();
    const { data: large } = await order.query
      .byCustomer(key)
      .where(({ total }, { gt }) => gt(total, 4))
      .go({ order: "desc" });
    const { data: paid } = await order.query.byStatus({ status: "paid" }).go();
    const bought = await transaction
      .write(({ order, customer }) => [
        order.create({ customer: "ann", order: "5", total: 1 }).commit(),
        customer.upsert({ customer: "ann" }).add({ orders: 5 }).commit(),
      ])
      .go();
    const again = await transaction
      .write(({ order, customer }) => [
        order.create({ customer: "ann", order: "5", total: 2 }).commit({ response: "all_old" }),
        customer.upsert({ customer: "ann" }).add({ orders: 1 }).commit(),
      ])
      .go();
    const read = await transaction
      .get(({ order, customer }) => [order.get({ customer: "ann", order: "5" }).commit(), customer.get(key).commit()])
      .go();
    await order.delete({ customer: "ann", order: "4" }).go();
    const { data: all } = await order.query.byCustomer(key).go({ pages: "all", limit: 2 });
    return {
      unprocessed: unprocessed.length,
      item: { ...item, labels: [...item.labels].sort() },
      range: range.map((found) => [found.order, found.status, found.total]),
      large: large.map((found) => found.order),
      paid: paid.map((found) => found.order),
      bought: bought.canceled,
      again: [again.canceled, again.data.map((outcome) => outcome.code), again.data[0].item?.total],
      read: read.data.map((found) => found.item),
      all: all.map((found) => found.order),
    };
  },

  async dynamoose() {
    dynamoose.aws.ddb.set(new dynamoose.aws.ddb.DynamoDB({ region, endpoint }));
    const schema = new dynamoose.Schema({
      owner: { type: String, hashKey: true },
      name: { type: String, rangeKey: true },
      age: { type: Number, index: { name: "byAge", type: "local" } },
      tags: { type: Set, schema: [String] },
      home: { type: Object, schema: { city: String } },
      born: Date,
    });
    const Pet = dynamoose.model("Pet", schema);
    new dynamoose.Table("dynamoose", [Pet], { throughput: "ON_DEMAND" });
    const born = new Date(0);
    await Pet.create({ owner: "ann", name: "rex", age: 3, tags: new Set(["dog"]), home: { city: "Oslo" }, born });
    await Pet.batchPut([1, 2, 4].map((age) => ({ owner: "ann", name: `pet${age}`, age })));
    const rex = await Pet.get({ owner: "ann", name: "rex" });
    const older = await Pet.update({ owner: "ann", name: "rex" }, { $ADD: { age: 1 }, $REMOVE: ["home"] });
    const byAge = await Pet.query("owner").eq("ann").where("age").between(2, 4).using("byAge").exec();
    const page = await Pet.query("owner").eq("ann").limit(2).exec();
    const rest = await Pet.query("owner").eq("ann").startAt(page.lastKey).exec();
    const scanned = await Pet.scan("age").gt(3).exec();
    const refused = await Pet.create({ owner: "ann", name: "rex" }).catch((error) => error.name);
    await dynamoose.transaction([
      Pet.transaction.create({ owner: "bob", name: "tom", age: 9 }),
      Pet.transaction.update({ owner: "ann", name: "pet1" }, { age: 10 }),
      Pet.transaction.delete({ owner: "ann", name: "pet2" }),
    ]);
    const left = await Pet.scan().all().exec();
    return {
      rex: { ...rex, tags: [...rex.tags], born: rex.born.getTime() },
      older: [older.age, older.home ?? null],
      byAge: byAge.map((found) => found.age),
      pages: [page.length, rest.length],
      scanned: scanned.map((found) => found.name).sort(),
      refused,
      left: left.map((found) => [found.name, found.age]).sort(),
    };
  },
};

console.log(JSON.stringify(await mappers[process.argv[2]]()));
