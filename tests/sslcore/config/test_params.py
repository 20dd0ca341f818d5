"""params.yaml: one clear line for each mistake."""

import ast
from pathlib import Path

import pytest

from sslcore.config import Params, parse_params, read_params, with_overrides
from sslcore.config.ingest import FRAMES_PATTERN
from sslcore.errors import ConfigError

SOURCE = {"ingest": {"source": "pictures"}}


def test_defaults_fill_what_is_not_said() -> None:
    assert parse_params(SOURCE, where="params.yaml").pretrain.method == "simclr"


def test_an_empty_section_is_all_defaults() -> None:
    assert parse_params({**SOURCE, "select": None}, where="params.yaml").select.budget == 100


def plan(objectives: object) -> dict[str, object]:
    return {**SOURCE, "select": {"objectives": objectives}}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"ingest": {"source": "x", "sorce": 1}}, "p: unknown key 'ingest.sorce'; did you mean 'source'?"),
        ({**SOURCE, "pretrian": {}}, "p: unknown key 'pretrian'; did you mean 'pretrain'?"),
        ({"ingest": {}}, "p: ingest.source is missing"),
        (
            {**SOURCE, "select": {"budget": "many"}},
            "p: select.budget: input should be a valid integer, unable to parse string as an integer"
            ", got 'many'",
        ),
        (
            {**SOURCE, "pretrain": {"epochs": 0}},
            "p: pretrain.epochs: input should be greater than or equal to 1, got 0",
        ),
        (
            {"ingest": {"source": "x", "frames": "fps 0.0"}},
            f"p: ingest.frames: string should match pattern '{FRAMES_PATTERN}', got 'fps 0.0'",
        ),
        ({"ingest": 5}, "p: ingest must be keys and values, got 5"),
        (
            plan({"strategy": "random"}),
            "p: select.objectives must be a list (start each item with '- '), got {'strategy': 'random'}",
        ),
        (plan(["random"]), "p: select.objectives.0 must be keys and values, got 'random'"),
        (
            plan([{"strength": 1}]),
            "p: select.objectives.0: needs a key 'strategy' that says which it is, got {'strength': 1}",
        ),
        (
            plan([{"strategy": "balance", "column": "label", "target": {0: 1.0}}]),
            "p: select.objectives.0.balance.target: names must be text, in quotes where they are numbers"
            ", got 0",
        ),
    ],
)
def test_a_mistake_is_one_line(raw: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_params(raw, where="p")
    assert str(caught.value) == message


def test_an_unknown_key_like_no_other_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown key 'report.zzz'; known: map, max_points, seed"):
        parse_params({**SOURCE, "report": {"zzz": 1}}, where="p")


def test_an_override_wins_and_leaves_the_original_alone() -> None:
    raw = {"ingest": {"source": "x"}, "pretrain": {"epochs": 3}}
    merged = with_overrides(raw, ["pretrain.epochs=7", "pretrain.method_options.temperature=0.2"])
    assert merged["pretrain"] == {"epochs": 7, "method_options": {"temperature": 0.2}}
    assert raw["pretrain"] == {"epochs": 3}


@pytest.mark.parametrize("override", ["epochs=3", "pretrain.epochs", "=3", "pretrain.=3"])
def test_an_override_must_look_like_one(override: str) -> None:
    with pytest.raises(ConfigError, match="must look like section.key=value"):
        with_overrides(SOURCE, [override])


@pytest.mark.parametrize(("text", "message"), [("a: [", "not valid YAML"), ("- 1", "must hold sections")])
def test_a_file_that_is_no_params_yaml(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        read_params(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; make a workspace with: sslflow init"):
        read_params(tmp_path / "params.yaml")


def test_every_field_of_every_section_is_read_somewhere() -> None:
    package = Path(__file__).parents[3] / "sslcore"
    attributes = {
        node.attr
        for path in package.rglob("*.py")
        if "config" not in path.relative_to(package).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("config")
    }
    keys = [f"{name}.{key}" for name, section in parse_params(SOURCE, where="") for key in dict(section)]
    assert [key for key in keys if key.partition(".")[2] not in attributes] == []


def test_every_field_has_a_description() -> None:
    for name, section in parse_params(SOURCE, where=""):
        assert Params.model_fields[name].description, name
        assert all(each.description for each in type(section).model_fields.values()), name
