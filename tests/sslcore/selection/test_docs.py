"""What docs/strategies.md says: its code runs, its plan is a plan, its table names what there is."""

import re
from pathlib import Path

import pytest
import yaml

from sslcore.config import parse_params
from sslcore.selection import STRATEGIES

PAGE = (Path(__file__).parents[3] / "docs" / "strategies.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_its_code_runs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "docs/strategies.md", "exec"), {})
    said = re.search(r"print\(.*\)  # (.+)", code)
    assert said is None or capsys.readouterr().out.strip() == said[1]


def test_its_plan_is_one() -> None:
    (plan,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    parse_params({"ingest": {"source": "x"}, **yaml.safe_load(plan)}, where="docs/strategies.md")


def test_its_table_names_strategies_that_are_there() -> None:
    table = PAGE.partition("| name | picks |")[2].partition("\n\n")[0]
    named = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1:2][0])}
    assert named <= set(STRATEGIES)
    assert {"auto", "badge", "uherding", "objectives"} <= named
