"""Worker processes: the same bytes for any number, and an error rather than a hang when one dies."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sslcore.data import pool, worker_process
from sslcore.data.examine import examine_file
from sslcore.data.listing import SourceFile, list_source
from sslcore.data.media import Limits
from sslcore.data.pool import Examination, examine_files

Write = Callable[..., Path]
LIMITS = Limits(min_side=1, max_megapixels=10.0)


@pytest.fixture
def source(tmp_path: Path, write_image: Write, write_video: Write) -> Path:
    folder = tmp_path / "source"
    for seed in range(40):
        write_image(folder / f"{seed:02d}.png", seed)
    write_video(folder / "a.mp4", num_frames=20)
    cut = write_video(folder / "b.mkv", num_frames=20, seed=1)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (folder / "bad.jpg").write_bytes(b"no image")
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes((folder / "00.png").read_bytes())
    return folder


def test_any_number_of_workers_gives_the_same_bytes(
    source: Path,
    tmp_path: Path,
    run_ingest: Callable[..., object],
    tree_bytes: Callable[[Path], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_ingest(source, tmp_path / "one", num_workers=1, frames="every 3")
    monkeypatch.setattr(pool, "SMALL_FILES", 0)
    monkeypatch.setattr(pool, "JOB_FILES", 4)
    for workers in (2, 3):
        run_ingest(source, tmp_path / f"{workers}", num_workers=workers, frames="every 3")
        assert tree_bytes(tmp_path / "one") == tree_bytes(tmp_path / f"{workers}")


def test_findings_from_workers_equal_those_from_here(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SMALL_FILES", 0)
    (tmp_path / "spool").mkdir()
    files = list_source(str(source), Path(".")).files
    how = Examination("all", LIMITS, tmp_path / "spool")
    found = [finding for finding, _ in examine_files(files, how, num_workers=2)]
    expected = [examine_file(file, frames="all", limits=LIMITS, spool=tmp_path / "here") for file in files]
    assert found == expected


def test_below_the_limit_files_are_read_in_this_process(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(pool, "SMALL_FILES", 300)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    files = list_source(str(source), Path(".")).files
    how = Examination("all", LIMITS, tmp_path)
    assert len(list(examine_files(files, how, num_workers=4))) == len(files)


FATAL = """
import os, signal
import sslcore.data.worker as worker
look = worker.examine_file
def fatal(file, **how):
    if file.name in NAMES and not (how["spool"].parent / "tried").exists():
        if ONCE:
            (how["spool"].parent / "tried").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return look(file, **how)
worker.examine_file = fatal
worker.main()
"""
FAILING = "import sslcore.data.worker as worker\nworker.examine_file = None\nworker.main()\n"


def test_a_file_that_ends_its_process_twice_is_in_quarantine_and_the_others_go_on(
    source: Path, tmp_path: Path, replace_worker: Callable[[str], None]
) -> None:
    replace_worker(FATAL.replace("NAMES", "('20.png', '21.png', 'a.mp4')").replace("ONCE", "False"))
    files = list_source(str(source), Path(".")).files
    found = [each for each, _ in examine_files(files, Examination("all", LIMITS, tmp_path), num_workers=2)]
    assert [each.name for each in found] == [file.name for file in files]
    crashed = {each.name: each.problem for each in found if each.problem and each.problem.reason == "crashed"}
    assert sorted(crashed) == ["20.png", "21.png", "a.mp4"]
    assert "was killed by signal 9, twice" in str(crashed["20.png"])
    assert sum(each.kind == "image" for each in found) == 40 + 1 - 2


def test_a_file_whose_process_was_killed_once_is_read_all_the_same(
    source: Path, tmp_path: Path, replace_worker: Callable[[str], None]
) -> None:
    replace_worker(FATAL.replace("NAMES", "('20.png',)").replace("ONCE", "True"))
    files = list_source(str(source), Path(".")).files
    found = [each for each, _ in examine_files(files, Examination("all", LIMITS, tmp_path), num_workers=2)]
    assert {each.name: each.kind for each in found}["20.png"] == "image"
    assert (tmp_path / "tried").exists()


def test_a_mistake_of_ours_in_a_worker_keeps_its_traceback(
    source: Path, tmp_path: Path, replace_worker: Callable[[str], None]
) -> None:
    replace_worker(FAILING)
    files = list_source(str(source), Path(".")).files
    how = Examination("all", LIMITS, tmp_path)
    with pytest.raises(RuntimeError, match=r"(?s)failed at .*TypeError: 'NoneType' object is not callable"):
        list(examine_files(files, how, num_workers=2))


def test_workers_end_when_the_reader_stops_early(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SMALL_FILES", 0)
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def remember(*args: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(start(*args, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(worker_process.subprocess, "Popen", remember)  # type: ignore[attr-defined]
    findings = examine_files(
        list_source(str(source), Path(".")).files, Examination("all", LIMITS, tmp_path), num_workers=2
    )
    next(iter(findings))
    findings.close()  # type: ignore[attr-defined]
    assert [process.poll() is not None for process in started] == [True, True]


ORPHAN = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-m", "sslcore.data.worker", str(os.getpid())])
os._exit(0)
"""


def test_a_worker_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with parent:  # its worker has the same pipes, and its input stays open
        assert parent.stdout is not None
        ended = False
        while not ended and select.select([parent.stdout], [], [], 20)[0]:
            ended = os.read(parent.stdout.fileno(), 4096) == b""
    assert ended


def test_workers_import_neither_torch_nor_pyarrow_nor_pandas() -> None:
    code = "import sys, json, sslcore.data.worker; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert not {"torch", "pyarrow", "pandas", "pydantic"} & set(json.loads(output))


def test_jobs_hold_few_files_and_videos_are_alone() -> None:
    def file(name: str, megabytes: int, kind: str = "image") -> SourceFile:
        return SourceFile(name, name, kind, megabytes << 20)  # type: ignore[arg-type]

    files = [file("v", 1, "video"), file("a", 5), file("b", 2), file("c", 2), file("d", 90), file("e", 1)]
    jobs = [[each.name for each in job] for job in pool._jobs(files)]
    assert jobs == [["v"], ["a", "b"], ["c"], ["d"], ["e"]]
