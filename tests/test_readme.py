"""What README shows, runs."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from flows.cli import cli

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def library_loop() -> str:
    (loop,) = [block for block in blocks("python") if "import DataLoader" in block]
    return loop


def test_the_library_loop_is_short() -> None:
    assert len([line for line in library_loop().splitlines() if line.strip()]) < 30


def test_the_library_loop_runs_and_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    for number in range(40):
        colour = tuple(int(each) for each in torch.randint(0, 255, (3,)))
        folder = tmp_path / "pictures" / str(number % 2)
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 36), colour).save(folder / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    code = library_loop().replace("batch_size=256", "batch_size=16").replace("range(100)", "range(2)")
    code = code.replace("num_workers=2", "num_workers=0")
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert torch.isfinite(torch.as_tensor(names["loss"]))
    assert (tmp_path / "my-backbone" / "backbone.safetensors").is_file()


def test_every_sslflow_command_in_the_readme_exists() -> None:
    prose = re.sub(r"```.*?```", "", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    commands = [*blocks("bash"), *re.findall(r"`[^`]+`", prose)]
    used = set(re.findall(r"sslflow ([a-z]+)", "\n".join(commands)))
    assert used - set(cli.commands) == set()
    assert {"run", "init", "ingest", "ui"} <= used


def test_every_make_target_in_the_readme_exists() -> None:
    targets = re.findall(
        r"^([a-z]+):", (README.parent / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert set(re.findall(r"make ([a-z]+)", "\n".join(blocks("bash")))) <= set(targets)


def test_no_file_names_a_registry() -> None:
    assert "://" not in (README.parent / "requirements.lock").read_text(encoding="utf-8")
    assert shutil.which("git") is None or not (README.parent / "uv.lock").exists()
