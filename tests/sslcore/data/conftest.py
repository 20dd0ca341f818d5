"""Pictures, videos and ingestions for the tests of sslcore.data."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sslcore.config import IngestConfig
from sslcore.data import pool, worker_process
from sslcore.data.ingest import IngestReport, ingest

Pixels = npt.NDArray[np.uint8]
Picture = Callable[..., Pixels]
WriteImage = Callable[..., Path]
WriteVideo = Callable[..., Path]
RunIngest = Callable[..., IngestReport]


@pytest.fixture(autouse=True)
def few_files_are_read_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no process for each small folder; tests of processes set it to 0."""
    monkeypatch.setattr(pool, "SMALL_FILES", 300)


@pytest.fixture
def replace_worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Run other code as the worker."""
    monkeypatch.setattr(pool, "SMALL_FILES", 0)
    start = subprocess.Popen

    def replace(code: str) -> None:
        def run(command: list[str], **options: object) -> object:
            return start([command[0], "-c", code], **options)  # type: ignore[call-overload]

        monkeypatch.setattr(worker_process.subprocess, "Popen", run)  # type: ignore[attr-defined]

    return replace


@pytest.fixture
def picture() -> Picture:
    """Smooth colours that depend on the seed: [height, width, 3]."""

    def draw(seed: int = 0, width: int = 24, height: int = 16) -> Pixels:
        coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))

    return draw


@pytest.fixture
def encoded(picture: Picture) -> Callable[..., bytes]:
    """A picture as encoded bytes."""

    def encode(
        seed: int = 0, *, format: str = "PNG", width: int = 24, height: int = 16, **save: Any
    ) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(picture(seed, width, height)).save(buffer, format, **save)
        return buffer.getvalue()

    return encode


@pytest.fixture
def write_image(encoded: Callable[..., bytes]) -> WriteImage:
    """Write a picture; the folders are made."""

    def write(path: Path, seed: int = 0, **options: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(seed, **options))
        return path

    return write


@pytest.fixture
def write_video(picture: Picture) -> WriteVideo:
    """Write a video whose frames all differ; ``pts`` in milliseconds for a variable frame rate."""

    def write(
        path: Path,
        *,
        num_frames: int = 30,
        rate: int = 10,
        codec: str = "mpeg4",
        pts: list[int] | None = None,
        rotation: int = 0,
        seed: int = 0,
        options: dict[str, str] | None = None,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", options=options or {}) as container:
            stream: Any = container.add_stream(codec, rate=rate)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            if rotation:
                stream.set_display_rotation(rotation)
            for number in range(num_frames):
                frame = av.VideoFrame.from_ndarray(picture(1000 * seed + number, 64, 48), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        if pts is not None:
            _retime(path, pts)
        return path

    return write


def _retime(path: Path, pts: list[int]) -> None:
    """Write the packets again, each with its new time in milliseconds."""
    slow = path.with_name(f"retimed-{path.name}")
    with av.open(str(path)) as old, av.open(str(slow), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size]
        for packet, time in zip(packets, pts, strict=True):
            packet.pts = packet.dts = round(time / 1000 / packet.time_base)
            packet.stream = stream
            new.mux(packet)
    slow.replace(path)


@pytest.fixture
def run_ingest(tmp_path: Path) -> RunIngest:
    """Ingest a folder into ``output``, with settings that suit small folders."""

    def run(source: Path | str, output: Path, previous: Path | None = None, **settings: Any) -> IngestReport:
        output.mkdir()
        config = IngestConfig(source=str(source), **{"max_bad_fraction": 1.0, **settings})
        return ingest(config, output=output, previous=previous, root=tmp_path)

    return run


@pytest.fixture
def tree_bytes() -> Callable[[Path], dict[str, bytes]]:
    """All files below a folder, by relative name."""

    def read(folder: Path) -> dict[str, bytes]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    return read


@pytest.fixture
def plain_decode() -> Callable[[Path], list[Pixels]]:
    """Every frame of a video, as PyAV gives them from the start: the oracle for frame numbers."""

    def decode(path: Path) -> list[Pixels]:
        with av.open(str(path)) as container:
            return [
                np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
                for frame in container.decode(video=0)
            ]

    return decode
