"""Every codec and container: the frames that are stored are those of a plain decode, whatever the rule."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from sslcore.data.examine import Finding, examine_file
from sslcore.data.frame_rule import make_frame_rule
from sslcore.data.listing import SourceFile
from sslcore.data.media import Limits
from sslcore.data.video import VideoPass

Pixels = npt.NDArray[np.uint8]
Picture = Callable[..., Pixels]
PlainDecode = Callable[[Path], list[Pixels]]
LIMITS = Limits(min_side=1, max_megapixels=10.0)

QUIET = {"x265-params": "log-level=none:keyint=10:bframes=2"}
OPEN = {"x265-params": "log-level=none:keyint=10:min-keyint=10:bframes=2:open-gop=1"}
FORMATS: list[tuple[str, str, str, dict[str, str]]] = [
    ("mp4", "libx264", "yuv420p", {"bf": "2", "g": "10"}),
    ("mkv", "libx264", "yuv420p", {"x264-params": "open-gop=1:bframes=2:keyint=10:min-keyint=10"}),
    ("mp4", "libx264", "yuv420p10le", {"g": "10"}),
    ("mp4", "libx265", "yuv420p", OPEN),
    ("mkv", "libx265", "yuv420p10le", QUIET),
    ("hevc", "libx265", "yuv420p", QUIET),
    ("mp4", "libsvtav1", "yuv420p", {"svtav1-params": "keyint=10", "preset": "12"}),
    ("webm", "libvpx-vp9", "yuv420p", {"g": "10", "deadline": "realtime", "cpu-used": "8"}),
    ("webm", "libvpx", "yuv420p", {"g": "10", "auto-alt-ref": "1", "lag-in-frames": "5"}),
    ("avi", "mpeg4", "yuv420p", {"bf": "2", "g": "10"}),
    ("m4v", "mpeg4", "yuv420p", {"g": "10"}),
    ("mov", "mjpeg", "yuvj420p", {}),
    ("mpeg", "mpeg2video", "yuv420p", {"bf": "2", "g": "10"}),
]


def write(path: Path, codec: str, pixel_format: str, options: dict[str, str], pictures: list[Pixels]) -> Path:
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        for number, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def key_places(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [place for place, frame in enumerate(container.decode(video=0)) if frame.key_frame]


@pytest.fixture
def pictures(picture: Picture) -> list[Pixels]:
    """32 frames in two scenes; each differs from the others."""
    scenes = [picture(seed, 160, 128) for seed in (1, 2)]
    return [np.ascontiguousarray(np.roll(scenes[step // 16], step, axis=1)) for step in range(32)]


@pytest.mark.parametrize(("suffix", "codec", "pixel_format", "options"), FORMATS)
def test_what_is_taken_is_what_a_plain_decode_gives(
    suffix: str,
    codec: str,
    pixel_format: str,
    options: dict[str, str],
    tmp_path: Path,
    pictures: list[Pixels],
    plain_decode: PlainDecode,
) -> None:
    path = write(tmp_path / f"clip.{suffix}", codec, pixel_format, options, pictures)
    expected = plain_decode(path)
    assert len(expected) == 32
    keys = key_places(path)
    ways: list[tuple[str, dict[str, Any], list[int]]] = [
        ("all", {}, list(range(32))),
        ("every 5", {"threads": 2}, list(range(0, 32, 5))),
        ("scenes", {}, [0, 16]),
        ("keyframes", {}, keys),
        ("keyframes", {"keys_only": True}, keys),
    ]
    for rule, how, places in ways:
        video = VideoPass(path, make_frame_rule(rule), **how)
        taken = list(video)
        if how and not video.sure:  # then ingest makes a plain pass
            continue
        assert (video.num_frames, video.broken) == (32, None)
        assert [frame.index for frame in taken] == places, (rule, how)
        assert all(np.array_equal(frame.pixels, expected[frame.index]) for frame in taken), (rule, how)


@pytest.mark.parametrize(("suffix", "codec", "options"), [FORMATS[0][:2] + FORMATS[0][3:]])
def test_keyframes_of_a_sound_video_need_no_plain_pass(
    suffix: str, codec: str, options: dict[str, str], tmp_path: Path, pictures: list[Pixels]
) -> None:
    path = write(tmp_path / f"clip.{suffix}", codec, "yuv420p", options, pictures)
    video = VideoPass(path, make_frame_rule("keyframes"), keys_only=True)
    assert [frame.index for frame in video] == key_places(path)
    assert video.sure
    assert len(key_places(path)) >= 3


def examined(path: Path, **how: Any) -> tuple[Finding, bytes]:
    file = SourceFile(path.name, str(path), "video", path.stat().st_size)
    spool = path.with_name("spool")
    finding = examine_file(file, limits=LIMITS, spool=spool, **how)
    return finding, spool.read_bytes()


@pytest.mark.parametrize("frames", ["every 3", "keyframes"])
@pytest.mark.parametrize("damage", ["none", "cut", "hole"])
def test_the_number_of_threads_changes_nothing(
    damage: str, frames: str, tmp_path: Path, pictures: list[Pixels]
) -> None:
    path = write(tmp_path / "clip.mkv", "libx264", "yuv420p", {"g": "10", "bf": "2"}, pictures)
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[len(data) * 2 // 3 :]
    elif damage == "hole":
        data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    path.write_bytes(data)
    found = [examined(path, frames=frames, threads=threads) for threads in (1, 2, 4)]
    assert found[0] == found[1] == found[2]
    assert found[0][0].frames
    assert (found[0][0].problem is None) is (damage == "none")


def test_joined_recordings_go_on_in_time_and_count_on(
    tmp_path: Path, pictures: list[Pixels], plain_decode: PlainDecode
) -> None:
    """Two MPEG programs in one file: the timestamps go back in the middle."""
    parts = [
        write(tmp_path / f"{number}.mpg", "mpeg1video", "yuv420p", {}, pictures * 2) for number in range(2)
    ]
    both = tmp_path / "both.mpg"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    expected = plain_decode(both)
    video = VideoPass(both, make_frame_rule("all"))
    taken = list(video)
    assert [frame.index for frame in taken] == list(range(len(expected)))
    assert len(expected) > 100
    assert all(np.array_equal(frame.pixels, expected[frame.index]) for frame in taken)
    times = [frame.time_seconds for frame in taken]
    assert times == sorted(times)
    assert times[-1] - times[0] > 1.5 * 64 / 25


def test_scenes_begin_at_cuts_and_not_where_the_camera_moves(tmp_path: Path, picture: Picture) -> None:
    """A pan, a cut to another pan, a slow fade, and a flash of one frame."""
    first, second = picture(1, 160, 128), picture(2, 160, 128)
    shots = [np.roll(first, 2 * step, axis=1) for step in range(30)]
    shots += [np.roll(second, 2 * step, axis=1) for step in range(30)]
    shots += [(second * (1 - step / 60) + first * (step / 60)).astype(np.uint8) for step in range(60)]
    shots += [first] * 20
    pictures = [np.ascontiguousarray(each) for each in shots]
    path = write(tmp_path / "clip.mp4", "mpeg4", "yuv420p", {"q:v": "3"}, pictures)
    taken = [frame.index for frame in VideoPass(path, make_frame_rule("scenes"))]
    assert taken[:2] == [0, 30]
    assert len([place for place in taken if 31 < place < 60 or place > 61]) == 0


def test_rules_that_need_the_frame_say_so() -> None:
    from fractions import Fraction

    from sslcore.errors import ConfigError

    for rule in ("keyframes", "scenes"):
        with pytest.raises(ConfigError, match=f"frames: {rule} can only be told while a video is decoded"):
            make_frame_rule(rule)(0, Fraction(0))
