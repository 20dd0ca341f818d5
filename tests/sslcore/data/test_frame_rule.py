"""Which frames are taken, and the clock over timestamps that lie."""

from fractions import Fraction

import pytest

from sslcore.data.frame_rule import FrameClock, make_frame_rule
from sslcore.errors import ConfigError


def taken(frames: str, seconds: list[float]) -> list[int]:
    rule = make_frame_rule(frames)
    return [
        index for index, time in enumerate(seconds) if rule(index, Fraction(time).limit_denominator(10**6))
    ]


def test_all_takes_every_frame() -> None:
    assert taken("all", [0.0] * 5) == [0, 1, 2, 3, 4]


def test_every_n_counts_frames() -> None:
    assert taken("every 3", [0.0] * 8) == [0, 3, 6]


def test_fps_takes_the_first_frame_of_each_interval() -> None:
    assert taken("fps 2", [number / 10 for number in range(21)]) == [0, 5, 10, 15, 20]


def test_fps_follows_a_variable_frame_rate() -> None:
    assert taken("fps 1", [0.0, 0.1, 0.2, 1.4, 1.5, 1.9, 2.0, 5.0, 5.5, 6.0]) == [0, 3, 6, 7, 9]


def test_fps_counts_from_the_first_frame() -> None:
    assert taken("fps 1", [7.5, 8.0, 8.5, 9.0, 9.5]) == [0, 2, 4]


def test_fps_above_the_frame_rate_takes_each_frame_once() -> None:
    assert taken("fps 100", [number / 30 for number in range(6)]) == [0, 1, 2, 3, 4, 5]


def test_fps_equal_to_the_frame_rate_survives_times_in_milliseconds() -> None:
    assert taken("fps 30", [round(number / 30, 3) for number in range(90)]) == list(range(90))


def test_fps_may_be_a_fraction() -> None:
    assert taken("fps 0.5", [float(number) for number in range(7)]) == [0, 2, 4, 6]
    assert taken("fps .25", [float(number) for number in range(9)]) == [0, 4, 8]


@pytest.mark.parametrize("frames", ["every 0", "every 1.5", "fps 0", "fps -1", "some", "fps", "scene"])
def test_other_rules_are_refused(frames: str) -> None:
    with pytest.raises(ConfigError, match="must be all, every N or fps X"):
        make_frame_rule(frames)


def clock(pts: list[int | None]) -> list[float]:
    """Times of frames at 10 frames per second with timestamps in tenths of a second."""
    times = FrameClock(Fraction(10))
    return [float(times.time(each, Fraction(1, 10))) for each in pts]


def test_good_timestamps_are_kept() -> None:
    assert clock([3, 4, 9, 10]) == [0.3, 0.4, 0.9, 1.0]


def test_missing_timestamps_are_a_frame_after_the_one_before() -> None:
    assert clock([None, None, 5, None, 7]) == [0.0, 0.1, 0.5, 0.6, 0.7]


def test_jitter_holds_the_clock() -> None:
    assert clock([0, 1, 3, 2, 4]) == [0.0, 0.1, 0.3, 0.3, 0.4]


def test_a_new_timeline_goes_on_after_the_old_one() -> None:
    assert clock([0, 1, 50, 0, 1, 2]) == pytest.approx([0.0, 0.1, 5.0, 5.1, 5.2, 5.3])
