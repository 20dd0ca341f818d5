"""A decoder that never ends costs its own file, after a while, and nothing else; nor does one that dies."""

import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sslcore.data import read_manifest
from sslcore.data.examine import hash_file
from sslcore.data.listing import list_source
from sslcore.data.media import Limits
from sslcore.data.pool import Examination, examine_files

Write = Callable[..., Path]
Replace = Callable[[str], None]
RunIngest = Callable[..., object]

# A reader that hangs, or ends its process, inside Pillow's or FFmpeg's part: in the middle of a real decode.
HANGING = """
import os, signal, time
import sslcore.data.examine as examine
import sslcore.data.frame_pixels as frame_pixels
import sslcore.data.worker as worker
look, decode = worker.examine_file, examine.decode_image
convert = frame_pixels.FramePixels.__call__
name = ""
def note(file, **how):
    global name
    name = file.name
    return look(file, **how)
def bad_decode(data):
    if name.startswith("hang"):
        time.sleep(600)
    if name.startswith("exit"):
        os._exit(3)
    if name.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    return decode(data)
frames = 0
def slow_convert(self, frame):
    global frames
    frames += 1
    if name.startswith("slow"):
        time.sleep(0.3)
    if name.startswith("hang") and frames > 3:
        time.sleep(600)
    return convert(self, frame)
worker.examine_file, examine.decode_image = note, bad_decode
frame_pixels.FramePixels.__call__ = slow_convert
worker.main()
"""


@pytest.fixture
def source(tmp_path: Path, write_image: Write, write_video: Write) -> Path:
    folder = tmp_path / "source"
    for seed, name in enumerate(["hang", "exit", "kill", *(f"fine{number:02d}" for number in range(30))]):
        write_image(folder / f"{name}.png", seed)
    return folder


def test_files_that_hang_or_kill_are_in_quarantine_and_the_rest_is_taken(
    source: Path, tmp_path: Path, write_video: Write, run_ingest: RunIngest, replace_worker: Replace
) -> None:
    write_video(source / "hang.mp4", num_frames=10)
    write_video(source / "fine.mp4", num_frames=10, seed=1)
    replace_worker(HANGING)
    started = time.monotonic()
    run_ingest(source, tmp_path / "one", num_workers=2, frames="all", max_seconds_per_file=4)
    assert time.monotonic() - started < 60
    rows = pq.read_table(tmp_path / "one/quarantine.parquet").to_pylist()
    assert [(row["path"], row["reason"]) for row in rows] == [
        ("exit.png", "crashed"),
        ("hang.mp4", "timed_out"),
        ("hang.png", "timed_out"),
        ("kill.png", "crashed"),
    ]
    assert rows[1]["detail"] == "no progress in 4 seconds (ingest.max_seconds_per_file)"
    names = read_manifest(tmp_path / "one")["filename"].tolist()
    assert [name for name in names if name.endswith("png") and not name.startswith("fine-")] == [
        f"fine{number:02d}.png" for number in range(30)
    ]
    assert sum(name.startswith("fine-") for name in names) == 10


def test_a_video_that_goes_on_may_take_longer(
    tmp_path: Path, write_video: Write, run_ingest: RunIngest, replace_worker: Replace
) -> None:
    write_video(tmp_path / "source/slow.mp4", num_frames=10)
    replace_worker(HANGING)
    started = time.monotonic()
    run_ingest("source", tmp_path / "one", frames="all", max_seconds_per_file=2.5)
    assert time.monotonic() - started > 3
    assert len(read_manifest(tmp_path / "one")) == 10


def test_many_files_that_hang_are_each_ended_and_named_in_order(
    tmp_path: Path, write_image: Write, replace_worker: Replace
) -> None:
    for seed in range(6):
        write_image(tmp_path / f"source/{'hang' if seed % 2 else 'fine'}{seed}.png", seed)
    replace_worker(HANGING)
    files = list_source(str(tmp_path / "source"), Path(".")).files
    how = Examination("all", Limits(1, 10.0), tmp_path, patience_seconds=2.5)
    found = [each for each, _ in examine_files(files, how, num_workers=1)]
    assert [each.name for each in found] == [file.name for file in files]
    assert [each.kind for each in found] == ["image"] * 3 + ["nothing"] * 3


def test_a_file_in_parts_has_the_same_digest(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"0123456789" * 1_000_000)
    parts: list[None] = []
    assert hash_file(tmp_path / "large", lambda: parts.append(None)) == hash_file(tmp_path / "large")
    assert len(parts) == 3


SCORE = """
import sslcore.data.worker as worker
worker._die_first()
print(open("/proc/self/oom_score_adj").read())
"""


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").is_file(), reason="Linux ends whom memory lacks")
def test_a_worker_is_the_first_to_go_when_memory_runs_out() -> None:
    import subprocess
    import sys

    said = subprocess.run([sys.executable, "-c", SCORE], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "1000"
