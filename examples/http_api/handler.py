"""A function behind an HTTP API, as it would run on AWS Lambda: notes over HTTP, kept in a table.

What: ``handler(event, context)`` gets an event of API Gateway's payload format 2.0 and returns its response. It knows
nothing of Atoll: the client finds its endpoint, region and credentials in the environment, as every AWS SDK does.

Source: AWS developer guide of API Gateway, "Working with AWS Lambda proxy integrations for HTTP APIs".
"""

from __future__ import annotations

import json
import os
import uuid
from typing import Any, Final

import boto3

TABLE: Final = os.environ.get("TABLE_NAME", "notes")
PAGE: Final = 25

dynamodb: Any = boto3.client("dynamodb")
"""Made once, when the function is loaded: later invocations find its connections open."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    route = ROUTES.get(event["routeKey"])
    if route is None:
        return respond(404, {"error": f"There is no {event['routeKey']}."})
    try:
        return route(event)
    except (ValueError, KeyError) as error:
        return respond(400, {"error": f"The body does not fit: {error!r}"})
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return respond(409, {"error": "Somebody else has changed the note. Read it again."})


def create(event: dict[str, Any]) -> dict[str, Any]:
    """``POST /notes``: make a note of the body's ``text``."""
    note = {"id": uuid.uuid4().hex[:12], "text": str(body(event)["text"]), "version": 1}
    dynamodb.put_item(TableName=TABLE, Item=item(note), ConditionExpression="attribute_not_exists(id)")
    return respond(201, note, location=f"/notes/{note['id']}")


def read(event: dict[str, Any]) -> dict[str, Any]:
    """``GET /notes/{id}``."""
    found = dynamodb.get_item(TableName=TABLE, Key=key(event), ConsistentRead=True).get("Item")
    return respond(404, {"error": "There is no such note."}) if found is None else respond(200, note_of(found))


def replace(event: dict[str, Any]) -> dict[str, Any]:
    """``PUT /notes/{id}``: a new ``text`` for the ``version`` that the caller has read."""
    asked = body(event)
    answer = dynamodb.update_item(
        TableName=TABLE,
        Key=key(event),
        UpdateExpression="SET #text = :text, version = version + :one",
        ConditionExpression="version = :read",
        ExpressionAttributeNames={"#text": "text"},
        ExpressionAttributeValues={
            ":text": {"S": str(asked["text"])},
            ":read": {"N": str(int(asked["version"]))},
            ":one": {"N": "1"},
        },
        ReturnValues="ALL_NEW",
    )
    return respond(200, note_of(answer["Attributes"]))


def remove(event: dict[str, Any]) -> dict[str, Any]:
    """``DELETE /notes/{id}``: that it is gone is the answer, whether it was there or not."""
    dynamodb.delete_item(TableName=TABLE, Key=key(event))
    return respond(204)


def listing(event: dict[str, Any]) -> dict[str, Any]:
    """``GET /notes?after=``: a page of notes, and where the next one begins."""
    after = event.get("queryStringParameters", {}).get("after")
    start = {"ExclusiveStartKey": {"id": {"S": after}}} if after else {}
    page = dynamodb.scan(TableName=TABLE, Limit=PAGE, **start)
    following = page.get("LastEvaluatedKey", {}).get("id", {}).get("S")
    return respond(200, {"notes": [note_of(found) for found in page["Items"]], "next": following})


ROUTES: Final = {
    "POST /notes": create,
    "GET /notes": listing,
    "GET /notes/{id}": read,
    "PUT /notes/{id}": replace,
    "DELETE /notes/{id}": remove,
}
"""What API Gateway is told to send here, by its route keys."""


def body(event: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of a request."""
    found: dict[str, Any] = json.loads(event.get("body") or "{}")
    return found


def key(event: dict[str, Any]) -> dict[str, Any]:
    """Return the key of the note that a path names."""
    return {"id": {"S": event["pathParameters"]["id"]}}


def item(note: dict[str, Any]) -> dict[str, Any]:
    """Return a note as the table keeps it."""
    return {"id": {"S": note["id"]}, "text": {"S": note["text"]}, "version": {"N": str(note["version"])}}


def note_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return a note as the API shows it."""
    return {"id": found["id"]["S"], "text": found["text"]["S"], "version": int(found["version"]["N"])}


def respond(status: int, content: object = None, **headers: str) -> dict[str, Any]:
    """Return a response in the payload format 2.0."""
    response: dict[str, Any] = {"statusCode": status, "headers": {"content-type": "application/json", **headers}}
    return response if content is None else {**response, "body": json.dumps(content)}
