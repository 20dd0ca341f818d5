"""One sequential pass over a video: right frames, right times, breaks found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sslcore.data.frame_rule import make_frame_rule
from sslcore.data.video import TakenFrame, VideoError, VideoPass

Pixels = npt.NDArray[np.uint8]
WriteVideo = Callable[..., Path]
PlainDecode = Callable[[Path], list[Pixels]]

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "videos"


def read(path: Path, frames: str = "all") -> tuple[list[TakenFrame], VideoPass]:
    video = VideoPass(path, make_frame_rule(frames))
    return list(video), video


def encoder_for(suffix: str) -> str:
    codec = {
        ".webm": "libvpx",
        ".mpg": "mpeg1video",
        ".mpeg": "mpeg1video",
        ".hevc": "libx265",
        ".mkv": "libx264",
    }
    name = codec.get(suffix, "mpeg4")
    if name not in av.codecs_available:
        pytest.skip(f"this PyAV has no {name}")
    return name


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpeg", ".mpg"])
def test_the_frame_that_is_named_is_the_frame(
    suffix: str, tmp_path: Path, write_video: WriteVideo, plain_decode: PlainDecode
) -> None:
    path = write_video(tmp_path / f"clip{suffix}", codec=encoder_for(suffix), rate=25)
    expected = plain_decode(path)
    taken, video = read(path, "every 7")
    assert video.num_frames == len(expected) == 30
    assert video.broken is None
    assert [frame.index for frame in taken] == [0, 7, 14, 21, 28]
    for frame in taken:
        np.testing.assert_array_equal(frame.pixels, expected[frame.index])


def test_consecutive_frames_differ(
    tmp_path: Path, write_video: WriteVideo, plain_decode: PlainDecode
) -> None:
    frames = plain_decode(write_video(tmp_path / "clip.mp4"))
    for before, after in zip(frames, frames[1:], strict=False):  # else the test above could not fail
        assert np.abs(before.astype(int) - after.astype(int)).mean() > 5


@pytest.mark.parametrize("name", ["flipping_a_pancake.mkv", "h265_video.mp4", "nasa_13013.mp4"])
def test_real_clips_decode_as_they_plainly_do(name: str, plain_decode: PlainDecode) -> None:
    if not (CLIPS / name).is_file():
        pytest.skip("the real clips are not here")
    expected = plain_decode(CLIPS / name)
    taken, video = read(CLIPS / name, "every 9")
    assert (video.num_frames, video.broken) == (len(expected), None)
    assert [frame.index for frame in taken] == list(range(0, len(expected), 9))
    assert all(np.array_equal(frame.pixels, expected[frame.index]) for frame in taken)


def test_times_are_presentation_times(tmp_path: Path, write_video: WriteVideo) -> None:
    taken, _ = read(write_video(tmp_path / "clip.mp4", num_frames=12, rate=10), "fps 2")
    assert [(frame.index, frame.time_seconds) for frame in taken] == [(0, 0.0), (5, 0.5), (10, 1.0)]


def test_variable_frame_rate_is_sampled_by_time(tmp_path: Path, write_video: WriteVideo) -> None:
    times = [0, 100, 200, 1400, 1500, 2000, 2100, 5000, 5100, 6000]
    path = write_video(tmp_path / "clip.mkv", num_frames=10, pts=times)
    taken, _ = read(path, "fps 1")
    assert [(frame.index, frame.time_seconds) for frame in taken] == [
        (0, 0),
        (3, 1.4),
        (5, 2.0),
        (7, 5.0),
        (9, 6.0),
    ]


def test_a_stream_without_timestamps_is_sampled_by_its_nominal_rate(
    tmp_path: Path, write_video: WriteVideo
) -> None:
    encoder = encoder_for(".hevc")
    quiet = {"x265-params": "log-level=none"}
    with av.open(str(tmp_path / "clip.hevc"), "w") as container:
        stream: Any = container.add_stream(encoder, rate=25, options=quiet)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(60):
            picture = np.full((48, 64, 3), 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    taken, video = read(tmp_path / "clip.hevc", "fps 1")
    assert video.num_frames == 60
    assert [frame.index for frame in taken] == [0, 25, 50]


def tkhd_turn(path: Path) -> tuple[int, ...]:
    """The matrix (a, b, c, d) of the track header, by hand: x' = a x + c y, y' = b x + d y, y down."""
    data = path.read_bytes()
    start = data.index(b"tkhd") + 4 + 40
    numbers = [
        int.from_bytes(data[start + 4 * i : start + 4 * i + 4], "big", signed=True) >> 16 for i in range(5)
    ]
    return numbers[0], numbers[1], numbers[3], numbers[4]


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_metadata_is_applied(
    rotation: int, tmp_path: Path, write_video: WriteVideo, plain_decode: PlainDecode
) -> None:
    path = write_video(tmp_path / "clip.mp4", num_frames=2, rotation=rotation)
    stored, shown = plain_decode(path)[0], read(path)[0][0].pixels
    a, b, c, d = tkhd_turn(path)
    height, width = stored.shape[:2]
    for x, y in [(0, 0), (10, 3), (63, 47)]:
        # From the corner that the turned picture has its origin in.
        across = a * x + c * y + (width - 1 if a < 0 else 0) + (height - 1 if c < 0 else 0)
        down = b * x + d * y + (width - 1 if b < 0 else 0) + (height - 1 if d < 0 else 0)
        np.testing.assert_array_equal(shown[down, across], stored[y, x])


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mpg"])
def test_a_cut_video_keeps_the_frames_before_the_break(
    suffix: str, tmp_path: Path, write_video: WriteVideo, plain_decode: PlainDecode
) -> None:
    path = write_video(tmp_path / f"clip{suffix}", codec=encoder_for(suffix), num_frames=60, rate=25)
    expected = plain_decode(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    taken, video = read(path)
    assert video.broken is not None
    assert 0 < len(taken) < 60
    assert all(np.array_equal(frame.pixels, expected[frame.index]) for frame in taken)


@pytest.mark.parametrize("share", [0.5, 0.6, 0.7, 0.8, 0.89, 0.95])
def test_a_cut_mp4_with_its_index_first_keeps_the_frames_before_the_break(
    share: float, tmp_path: Path, write_video: WriteVideo, plain_decode: PlainDecode
) -> None:
    path = write_video(tmp_path / "clip.mp4", num_frames=60, options={"movflags": "faststart"})
    expected = plain_decode(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    taken, video = read(path)
    assert video.broken is not None
    assert 0 < len(taken) < 60
    assert all(np.array_equal(frame.pixels, expected[frame.index]) for frame in taken)


def test_damage_in_the_middle_ends_the_video_there(
    tmp_path: Path, write_video: WriteVideo, plain_decode: PlainDecode
) -> None:
    path = write_video(tmp_path / "clip.mkv", codec=encoder_for(".mkv"), num_frames=60)
    expected = plain_decode(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path.write_bytes(data)
    taken, video = read(path)
    assert video.broken is not None
    assert 5 < len(taken) < 60
    assert all(np.array_equal(frame.pixels, expected[frame.index]) for frame in taken)


def test_an_mp4_without_its_index_says_what_is_missing(tmp_path: Path, write_video: WriteVideo) -> None:
    path = write_video(tmp_path / "clip.mp4")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(VideoError, match=r"broken_video: cannot be opened: the last \d+ bytes are missing"):
        read(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(VideoError, match="no video stream"):
        read(tmp_path / "sound.mkv")


def test_a_playlist_in_disguise_is_not_followed(tmp_path: Path, write_video: WriteVideo) -> None:
    write_video(tmp_path / "clip.mp4")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile 'clip.mp4'\n", encoding="utf-8")
    with pytest.raises(VideoError, match="cannot be opened"):
        read(tmp_path / "list.mp4")


def test_memory_does_not_grow_with_the_frames(tmp_path: Path, write_video: WriteVideo) -> None:
    video = VideoPass(write_video(tmp_path / "clip.mp4"), make_frame_rule("all"))
    seen = [Image.fromarray(frame.pixels).size for frame in video]  # an iterator: nothing is collected
    assert seen == [(64, 48)] * 30
    assert not any(isinstance(value, list) for value in vars(video).values())
