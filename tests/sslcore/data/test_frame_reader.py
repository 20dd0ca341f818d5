"""Frame N by random access is frame N of a plain decode, for every frame of many kinds of video."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sslcore.data import frame_index
from sslcore.data.frame_index import FrameIndex, cache_folder, index_video, indices_of
from sslcore.data.frame_reader import FrameReader
from sslcore.data.video import VideoError

Write = Callable[..., Path]
Decode = Callable[[Path], list[npt.NDArray[np.uint8]]]


def encode(path: Path, codec: str, *, num_frames: int = 40, options: dict[str, str] | None = None) -> Path:
    """Write a video of frames that all differ; keyframes every ten frames."""
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=10, options=options or {})
        stream.width, stream.height = 64, 48
        stream.pix_fmt = {"mjpeg": "yuvj420p", "ffv1": "yuv420p"}.get(codec, "yuv420p")
        stream.gop_size = 10
        for number in range(num_frames):
            coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
            pixels = np.ascontiguousarray(np.kron(coarse, np.ones((8, 8, 1), dtype=np.uint8)))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


QUIET = {"x265-params": "log-level=none:keyint=10:bframes=3:open-gop=1:pools=none"}
X264 = {"x264-params": "keyint=10:bframes=3:open-gop=1:threads=1"}
VIDEOS = {
    "h264-b.mp4": ("libx264", X264),
    "h264-b.mkv": ("libx264", X264),
    "h264-b.mov": ("libx264", {"bf": "2"}),
    "h264-b.mpg": ("libx264", {"bf": "2"}),
    "h264-plain.mp4": ("libx264", {"bf": "0"}),
    "h264-refresh.mp4": ("libx264", {"x264-params": "intra-refresh=1:keyint=10:bframes=0:threads=1"}),
    "h265-b.mp4": ("libx265", QUIET),
    "h265-raw.hevc": ("libx265", QUIET),
    "mpeg4-b.avi": ("mpeg4", {"bf": "2"}),
    "mpeg4.mp4": ("mpeg4", {}),
    "mpeg2.mpg": ("mpeg2video", {"bf": "2"}),
    "vp9.webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    "vp8-altref.webm": ("libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"}),
    "av1.mp4": ("libsvtav1", {"preset": "12", "svtav1-params": "keyint=10:lp=1"}),
    "mjpeg.avi": ("mjpeg", {}),
}


def check_every_frame(path: Path, expected: list[npt.NDArray[np.uint8]]) -> FrameReader:
    index = index_video(path)
    assert len(index) == len(expected)
    reader = FrameReader(path, index)
    numbers = np.random.default_rng(0).permutation(len(expected)).tolist()
    for number in [*range(len(expected)), *numbers, len(expected) - 1, 0]:
        np.testing.assert_array_equal(reader.frame(number), expected[number], err_msg=f"frame {number}")
    reader.close()
    return reader


@pytest.mark.parametrize("name", VIDEOS)
def test_every_frame_is_that_of_a_plain_decode(name: str, tmp_path: Path, plain_decode: Decode) -> None:
    codec, options = VIDEOS[name]
    path = encode(tmp_path / name, codec, options=dict(options))
    expected = plain_decode(path)
    assert len(expected) >= 38
    check_every_frame(path, expected)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize(
    "pts",
    [
        [0, 10, 20, 500, 510, 2000, 2010, 2020, 5000, 5001, 5002, 9000],
        [500, 600, 700, 800, 900, 1000, 1100, 1200, 1300, 1400, 1500, 1600],
    ],
)
def test_a_variable_frame_rate(
    pts: list[int], ending: str, tmp_path: Path, write_video: Write, plain_decode: Decode
) -> None:
    path = write_video(tmp_path / f"clip.{ending}", num_frames=12, pts=pts)
    check_every_frame(path, plain_decode(path))


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
def test_joined_recordings_whose_timestamps_go_back(codec: str, tmp_path: Path, plain_decode: Decode) -> None:
    parts = [encode(tmp_path / f"{n}.mpg", codec, num_frames=n, options={"bf": "2"}) for n in (25, 17)]
    path = tmp_path / "joined.mpg"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    times = index_video(path).times
    assert (np.diff(times) <= 0).any()
    check_every_frame(path, plain_decode(path))


def test_a_rotated_video_is_upright(tmp_path: Path, write_video: Write, plain_decode: Decode) -> None:
    path = write_video(tmp_path / "clip.mp4", num_frames=6, rotation=90)
    expected = [np.rot90(frame, 1) for frame in plain_decode(path)]
    check_every_frame(path, [np.ascontiguousarray(frame) for frame in expected])


def test_a_recording_that_begins_in_the_middle(tmp_path: Path, plain_decode: Decode) -> None:
    whole = encode(tmp_path / "whole.mpg", "mpeg2video", options={"bf": "2"})
    data = whole.read_bytes()
    path = tmp_path / "cut.mpg"
    path.write_bytes(data[len(data) // 3 // 2048 * 2048 :])
    check_every_frame(path, plain_decode(path))


def test_in_order_each_frame_is_decoded_once_and_at_random_from_a_keyframe(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", "libx264", num_frames=100, options=dict(X264))
    reader = FrameReader(path, index_video(path))
    for number in range(0, 100, 3):
        reader.frame(number)
    assert reader.num_decoded <= 100
    reader.num_decoded = 0
    for number in (95, 42, 77, 11):
        reader.frame(number)
    assert reader.num_decoded < 80  # plain decodes to them would be 229


def test_indexing_decodes_nothing_where_packets_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> FrameIndex:
        raise AssertionError(f"{path} was decoded")

    monkeypatch.setattr(frame_index, "_from_frames", refuse)
    for name in ("h264-b.mp4", "h264-b.mkv", "h265-b.mp4", "vp9.webm", "av1.mp4", "mpeg4.mp4"):
        codec, options = VIDEOS[name]
        assert len(index_video(encode(tmp_path / name, codec, options=dict(options)))) == 40


def test_an_index_is_kept_until_the_file_changes(
    tmp_path: Path, write_video: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = write_video(tmp_path / "clip.mp4", num_frames=12), tmp_path / "cache"
    (first,) = indices_of([path], cache=cache)
    made: list[Path] = []
    index = index_video

    def noted(each: Path) -> FrameIndex:
        made.append(each)
        return index(each)

    monkeypatch.setattr(frame_index, "index_video", noted)
    (second,) = indices_of([path], cache=cache)
    assert isinstance(first, FrameIndex)
    assert isinstance(second, FrameIndex)
    assert made == []
    np.testing.assert_array_equal(first.times, second.times)
    assert (first.time_base, first.rate) == (second.time_base, second.rate)
    os.utime(path, ns=(1, 1))
    indices_of([path], cache=cache)
    next(cache.glob("*.npz")).write_bytes(b"damaged")
    indices_of([path], cache=cache)
    assert made == [path, path]
    assert len(list(cache.iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, write_video: Write, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video(tmp_path / "clip.mp4", num_frames=4)
    (tmp_path / "file").write_bytes(b"")
    (index,) = indices_of([path], cache=tmp_path / "file/cache")
    assert isinstance(index, FrameIndex)
    assert "is not kept" in caplog.text


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "sslflow/frames"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache/sslflow/frames"


def test_what_is_no_video_is_said(tmp_path: Path, write_video: Write) -> None:
    (tmp_path / "text.mp4").write_bytes(b"no video")
    found = indices_of([tmp_path / "text.mp4", tmp_path / "missing.mp4"], cache=None)
    assert [type(each) for each in found] == [VideoError, FileNotFoundError]
    path = write_video(tmp_path / "clip.mp4", num_frames=4)
    with pytest.raises(IndexError, match="frame 4 is out of range for 4 frames"):
        FrameReader(path, index_video(path)).frame(4)
