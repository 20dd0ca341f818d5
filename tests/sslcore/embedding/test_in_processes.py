"""Several processes that embed: they end with the one that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from sslcore.config import EmbedConfig
from sslcore.embedding import read_embeddings
from sslcore.embedding.embed import embed

PARENT = """
import sys
from pathlib import Path
from sslcore.config import EmbedConfig
from sslcore.embedding.in_processes import write_in_processes
from sslcore.embedding.parts import Task

if __name__ == "__main__":
    dataset, backbone, place, earlier = map(Path, sys.argv[1:])
    config = EmbedConfig(num_workers=0, device="cpu", rows_per_file=1)
    list(write_in_processes(Task(config, dataset, backbone, place, (earlier,)), range(5), num_processes=2))
"""


def wait_for_reader(fifo: Path) -> None:
    """Wait until a process has opened the file, and let it go on."""
    for _ in range(600):
        try:
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"nobody reads {fifo}")


def test_processes_end_when_their_parent_is_killed(tmp_path: Path, source: Any, backbone: Path) -> None:
    earlier, place, script = tmp_path / "earlier", tmp_path / "place", tmp_path / "parent.py"
    for folder in (earlier, place):
        folder.mkdir()
    for number in range(2):  # a worker hangs on these: nobody writes to them
        os.mkfifo(earlier / f"part-{number:05d}.parquet")
    script.write_text(PARENT)
    arguments = [str(path) for path in (script, source.ingest(), backbone, place, earlier)]
    parent = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_reader(earlier / "part-00000.parquet")
        parent.kill()
        parent.communicate(timeout=60)  # the pipe's end comes when the last process that has it is gone
    finally:
        try:
            os.killpg(parent.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    assert list(place.glob("part-*")) == []


def test_each_process_may_decode_in_processes_of_its_own(tmp_path: Path, source: Any, backbone: Path) -> None:
    dataset = source.ingest()
    for name, settings in (("one", {}), ("two", {"num_processes": 2, "num_workers": 1, "batch_size": 1})):
        (tmp_path / name).mkdir()
        config = EmbedConfig(**{"num_workers": 0, "device": "cpu", "rows_per_file": 3, **settings})
        embed(config, dataset=dataset, backbone=backbone, output=tmp_path / name)
    one, two = (read_embeddings(tmp_path / name) for name in ("one", "two"))
    assert two.sample_ids == one.sample_ids
    assert np.allclose(two.vectors, one.vectors, atol=1e-5)
