"""What the docs say: code runs, the plan is a plan, and strategies are named as they are."""

import re
from pathlib import Path

import pytest
import yaml

from sslcore.config import parse_params
from sslcore.selection.strategies import PICKERS

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "strategies.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_its_code_runs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "docs/strategies.md", "exec"), {})
    said = re.search(r"print\(.*\)  # (.+)", code)
    assert said is None or capsys.readouterr().out.strip() == said[1]


def test_its_plan_is_one() -> None:
    (plan,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    parse_params({"ingest": {"source": "x"}, **yaml.safe_load(plan)}, where="docs/strategies.md")


def test_its_table_has_every_strategy() -> None:
    table = PAGE.partition("| name | picks |")[2].partition("\n\n")[0]
    named = [name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1:2][0])]
    assert sorted(named) == sorted(PICKERS)


def test_the_strategies_that_are_not_greedy_are_named() -> None:
    text = (DOCS / "selection.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)`", text.partition("The others\n")[2].partition("pick anew")[0])
    assert named == sorted(name for name, strategy in PICKERS.items() if strategy.begin is None)
