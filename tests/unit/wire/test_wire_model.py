from __future__ import annotations

import re

import botocore.loaders
import pytest

from region.errors import OperatingError
from region.operation import OPERATIONS
from region.wire import overrides, service_model
from region.wire.service_model import Shape
from region.wire.validation import compile_check, compile_pattern


@pytest.mark.parametrize("service", service_model.SERVICES)
def test_the_model_read_here_is_the_one_that_botocore_loads(service: str) -> None:
    assert service_model.read(service) == botocore.loaders.Loader().load_service_model(service, "service-2")


def test_both_services_have_their_targets() -> None:
    specs = service_model.load()
    assert specs["DynamoDB_20120810.GetItem"].input.required == ("TableName", "Key")
    assert "ResourceNotFoundException" in specs["DynamoDB_20120810.GetItem"].errors
    assert specs["DynamoDBStreams_20120810.GetRecords"].input.required == ("ShardIterator",)


def test_every_built_operation_is_in_the_model() -> None:
    assert set(OPERATIONS) <= {spec.name for spec in service_model.load().values()}


def test_a_missing_service_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(OperatingError, match="reinstall botocore"):
        service_model.read("nosuchservice")


def test_every_operation_of_the_model_compiles() -> None:
    for spec in service_model.load().values():
        compile_check(overrides.input_shape(spec))


def test_every_pattern_of_the_model_compiles() -> None:
    for service in service_model.SERVICES:
        for definition in service_model.read(service)["shapes"].values():
            if "pattern" in definition:
                compile_pattern(definition["pattern"])


def test_every_override_names_a_member_that_exists() -> None:
    specs = {spec.name: spec for spec in service_model.load().values()}
    for path, constraints in overrides.CONSTRAINTS.items():
        spec = specs[path.partition(".")[0]]
        shape: Shape = overrides.input_shape(spec)
        for step in re.findall(r"\[\]|\w+", path.partition(".")[2]):
            inner = shape.element if step == "[]" else shape.members[step]
            assert inner is not None
            shape = inner
        assert {name: getattr(shape, name) for name in constraints} == constraints


def test_an_override_leaves_the_shared_shape_alone() -> None:
    spec = next(spec for spec in service_model.load().values() if spec.name == "CreateTable")
    assert overrides.input_shape(spec).members["KeySchema"].most == 2
    assert spec.input.members["KeySchema"].most is None


def test_every_reordered_enumeration_has_the_values_of_the_model() -> None:
    shapes = service_model.read("dynamodb")["shapes"]
    for name, order in overrides.ENUM_ORDERS.items():
        assert sorted(order) == sorted(shapes[name]["enum"])
