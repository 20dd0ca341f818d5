"""Keyframes and scenes of videos that are not ingested are those that ingest takes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from sslcore.data import MediaDataset, SampleDataset, chosen_frames
from sslcore.data.video import VideoError, VideoPass

Write = Callable[..., Path]
RunIngest = Callable[..., object]

X264 = {"x264-params": "keyint=12:bframes=3:open-gop=1:threads=1:scenecut=0"}
VIDEOS = {
    "b.mp4": ("libx264", X264),
    "c.mkv": ("libx264", X264),
    "d.mpg": ("libx264", {"bf": "2"}),
    "hevc.mp4": ("libx265", {"x265-params": "log-level=none:keyint=12:bframes=3:pools=none"}),
    "raw.hevc": ("libx265", {"x265-params": "log-level=none:keyint=12:bframes=3:pools=none"}),
    "e.avi": ("mpeg4", {"bf": "2"}),
    "two.mpg": ("mpeg2video", {"bf": "2"}),
    "nine.webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    "av1.mp4": ("libsvtav1", {"preset": "12", "svtav1-params": "keyint=12:lp=1"}),
    "mjpeg.avi": ("mjpeg", {}),
}


def film(path: Path, codec: str, options: dict[str, str], *, num_frames: int = 40) -> Path:
    """Write three scenes of 0.7 s and a rest; in each, something moves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=20, options=options)
        stream.width, stream.height = 96, 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = 12
        for number in range(num_frames):
            coarse = np.random.default_rng(number // 14).integers(0, 256, (4, 6, 3), dtype=np.uint8)
            pixels = np.kron(coarse, np.ones((16, 16, 1), dtype=np.uint8))
            moved = np.ascontiguousarray(np.roll(pixels, number % 14, axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films") / "source"
    for name, (codec, options) in VIDEOS.items():
        film(folder / name, codec, options)
    cut = film(folder / "cut.mkv", "libx264", X264)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    return folder


@pytest.mark.parametrize("frames", ["keyframes", "scenes"])
def test_frames_are_those_of_ingest(frames: str, films: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    run_ingest(films, tmp_path / "one", frames=frames)
    ingested = SampleDataset(tmp_path / "one")
    dataset = MediaDataset(films, frames=frames, cache=tmp_path / "cache")
    assert dataset.filenames == ingested.manifest["filename"].tolist()
    assert len(dataset) >= 2 * len(VIDEOS)
    for number in np.random.default_rng(0).permutation(len(dataset)).tolist():
        assert torch.equal(dataset[number][0], ingested[number][0]), dataset.filename(number)
    assert not dataset.unreadable


def test_scenes_begin_where_the_picture_changes(films: Path, tmp_path: Path) -> None:
    dataset = MediaDataset(films / "b.mp4", frames="scenes", cache=tmp_path / "cache")
    assert dataset.filenames == ["b-00-mp4.png", "b-14-mp4.png", "b-28-mp4.png"]


def test_what_was_found_is_kept_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "source/a.mp4", "libx264", X264)
    first = MediaDataset(path, frames="scenes", cache=tmp_path / "cache").filenames
    passes: list[Path] = []
    decode = VideoPass

    def spy(path: Path, *rule: Any, **options: Any) -> Any:
        passes.append(path)
        return decode(path, *rule, **options)

    monkeypatch.setattr(chosen_frames, "VideoPass", spy)
    assert MediaDataset(path, frames="scenes", cache=tmp_path / "cache").filenames == first
    assert passes == []
    MediaDataset(path, frames="keyframes", cache=tmp_path / "cache")
    film(path, "libx264", X264, num_frames=20)
    assert MediaDataset(path, frames="scenes", cache=tmp_path / "cache").filenames == first[:2]
    assert passes == [path, path]


def test_a_video_without_frames_is_named_and_left_out(tmp_path: Path) -> None:
    film(tmp_path / "source/a.mp4", "libx264", X264)
    (tmp_path / "source/b.mp4").write_bytes(b"no video")
    dataset = MediaDataset(tmp_path / "source", frames="scenes", cache=tmp_path / "cache")
    assert dataset.unreadable == {"b.mp4"}
    found = chosen_frames.chosen_frames([tmp_path / "source/b.mp4", tmp_path / "no"], "scenes", cache=None)
    assert [type(each) for each in found] == [VideoError, FileNotFoundError]
