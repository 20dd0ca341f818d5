"""The form of a deployment: typed, nothing filled in, and nothing that refers to what is not there."""

import json

from flows.overrides import Overrides
from sslcore.config import Params


def test_the_schema_shows_every_setting_and_refers_to_nothing() -> None:
    schema = Overrides.model_json_schema()
    assert "$ref" not in json.dumps(schema)
    for stage, section in Params.model_validate({"ingest": {"source": "s"}}):
        settings = schema["properties"][stage]["properties"]
        assert set(settings) == set(type(section).model_fields)
        assert not any("default" in setting for setting in settings.values())


def test_nested_settings_keep_their_types() -> None:
    settings = Overrides.model_json_schema()["properties"]
    store = settings["ingest"]["properties"]["store"]
    shapes = json.dumps(store)
    assert "short_side" in shapes
    assert "uint8" in shapes
    plans = json.dumps(settings["select"]["properties"]["objectives"])
    assert "least_distance" in plans
