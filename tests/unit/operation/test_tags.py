"""TagResource, UntagResource, ListTagsOfResource."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import US, Replica, TestFleet, simple_table

from region.errors import AccessDeniedError, DynamoError, ResourceNotFoundError, ValidationError
from region.operation.table import tags

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/table"
INVALID = "One or more parameter values were invalid: "


@pytest.fixture
def region() -> Replica:
    region = TestFleet()[US]
    region.call("CreateTable", **simple_table())
    return region


def pairs(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def listed(region: Replica, **more: Any) -> dict[str, Any]:
    return region.call("ListTagsOfResource", ResourceArn=ARN, **more)


def test_tags_are_added_replaced_and_removed(region: Replica) -> None:
    assert region.call("TagResource", ResourceArn=ARN, Tags=pairs(b="1", a="2")) == {}
    region.call("TagResource", ResourceArn=ARN, Tags=pairs(b="3"))
    assert listed(region) == {"Tags": pairs(a="2", b="3")}
    assert region.call("UntagResource", ResourceArn=ARN, TagKeys=["a", "never there"]) == {}
    assert listed(region) == {"Tags": pairs(b="3")}


def test_tags_belong_to_this_region_and_are_not_announced(region: Replica) -> None:
    before = len(region.announcements())
    region.call("TagResource", ResourceArn=ARN, Tags=pairs(a="1"))
    assert len(region.announcements()) == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "Atleast one Tag needs to be provided as Input."),
        (pairs(**{"aws:a": "1"}), f"{INVALID}Tag keys that begin with aws: are reserved. Tag key: aws:a"),
        (pairs(**{"AWS:a": "1"}), f"{INVALID}Tag keys that begin with aws: are reserved. Tag key: AWS:a"),
        (pairs(a="1") + pairs(a="2"), f"{INVALID}Duplicate tag key: a"),
        (pairs(**{"a#": "1"}), f"{INVALID}Tag key contains invalid characters: a#"),
        (pairs(a="<>"), f"{INVALID}Tag value contains invalid characters: <>"),
        (pairs(**{f"k{i}": "" for i in range(51)}), f"{INVALID}Number of tags exceeds the limit of 50 per resource"),
    ],
)
def test_wrong_tags_are_refused(region: Replica, given: list[dict[str, str]], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        region.call("TagResource", ResourceArn=ARN, Tags=given)
    assert caught.value.message == message
    assert listed(region) == {"Tags": []}


def test_letters_of_any_script_and_some_punctuation_are_allowed(region: Replica) -> None:
    region.call("TagResource", ResourceArn=ARN, Tags=pairs(**{"Größe 1_.:/=+-@": "été ٣"}))
    assert len(listed(region)["Tags"]) == 1


def test_fifty_tags_are_the_most_in_all(region: Replica) -> None:
    region.call("TagResource", ResourceArn=ARN, Tags=pairs(**{f"k{i}": "" for i in range(50)}))
    region.call("TagResource", ResourceArn=ARN, Tags=pairs(k1="replaced"))
    with pytest.raises(ValidationError, match="exceeds the limit of 50"):
        region.call("TagResource", ResourceArn=ARN, Tags=pairs(new="x"))
    assert len(listed(region)["Tags"]) == 50


def test_untagging_needs_a_key(region: Replica) -> None:
    with pytest.raises(ValidationError) as caught:
        region.call("UntagResource", ResourceArn=ARN, TagKeys=[])
    assert caught.value.message == "Atleast one Tag Key needs to be provided as Input."


@pytest.mark.parametrize(
    ("arn", "error", "message"),
    [
        ("table", ValidationError, "Invalid TableArn: Invalid ResourceArn provided as input table"),
        (ARN + "/index/i", ValidationError, f"Invalid TableArn: Invalid ResourceArn provided as input {ARN}/index/i"),
        (
            ARN.replace(US, "eu-west-1"),
            ValidationError,
            f"Invalid TableArn: Invalid ResourceArn provided as input {ARN.replace(US, 'eu-west-1')}",
        ),
        (
            ARN.replace("dynamodb", "s3"),
            AccessDeniedError,
            "User: arn:aws:iam::000000000000:root is not authorized to perform: dynamodb:TagResource on resource: "
            + ARN.replace("dynamodb", "s3"),
        ),
        (
            ARN.replace("000000000000", "111111111111"),
            AccessDeniedError,
            "User: arn:aws:iam::000000000000:root is not authorized to perform: dynamodb:TagResource on resource: "
            + ARN.replace("000000000000", "111111111111"),
        ),
        (ARN + "x", ResourceNotFoundError, f"Requested resource not found: ResourceArn: {ARN}x not found"),
    ],
)
def test_a_wrong_arn_is_refused(region: Replica, arn: str, error: type[DynamoError], message: str) -> None:
    with pytest.raises(error) as caught:
        region.call("TagResource", ResourceArn=arn, Tags=pairs(a="1"))
    assert caught.value.message == message


def test_a_table_that_is_being_created_is_not_there_for_tags() -> None:
    fleet = TestFleet(transition_ms=1000)
    fleet[US].call("CreateTable", **simple_table())
    with pytest.raises(ResourceNotFoundError):
        listed(fleet[US])
    fleet.tick(1000)
    assert listed(fleet[US]) == {"Tags": []}


def test_tags_are_listed_page_by_page(region: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "PAGE_TAGS", 2)
    region.call("TagResource", ResourceArn=ARN, Tags=pairs(a="1", b="2", c="3"))
    first = listed(region)
    assert first == {"Tags": pairs(a="1", b="2"), "NextToken": "b"}
    assert listed(region, NextToken=first["NextToken"]) == {"Tags": pairs(c="3")}
    with pytest.raises(ValidationError, match="NextToken is not valid"):
        listed(region, NextToken="nonsense")
