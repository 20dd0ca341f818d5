"""Which files a source has."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sslcore.data.listing import list_source
from sslcore.errors import UserError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def names(source: Path | str, root: Path = Path(".")) -> list[str]:
    return [file.name for file in list_source(str(source), root).files]


def test_images_at_every_depth_are_found(tmp_path: Path) -> None:
    touch(tmp_path, "root.jpg", "a/one.png", "a/b/c/deep.webp", "z/clip.mp4")
    assert names(tmp_path) == ["a/b/c/deep.webp", "a/one.png", "root.jpg", "z/clip.mp4"]


def test_extensions_are_accepted_in_any_case(tmp_path: Path) -> None:
    images = [f"x.{each}" for each in "JPG jpeg PnG webp bmp ppm pgm tif TIFF gif".split()]
    videos = [f"y.{each}" for each in "mp4 MOV mkv avi webm m4v mpeg mpg hevc".split()]
    touch(tmp_path, *images, *videos)
    kinds = {file.name: file.kind for file in list_source(str(tmp_path), Path(".")).files}
    assert kinds == {**dict.fromkeys(images, "image"), **dict.fromkeys(videos, "video")}


def test_other_and_hidden_files_are_ignored_and_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "README", "labels.csv", ".DS_Store", "._a.jpg", ".git/objects/x.png")
    listing = list_source(str(tmp_path), Path("."))
    assert [file.name for file in listing.files] == ["a.jpg"]
    assert listing.num_ignored == 5  # .git counts once


def test_links_to_folders_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "src/a/one.jpg", "elsewhere/two.jpg")
    (tmp_path / "src/a/loop").symlink_to(tmp_path / "src")
    (tmp_path / "src/other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "src/second").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "src/other")
    assert names(tmp_path / "src") == ["a/one.jpg", "other/two.jpg"]


def test_a_real_folder_wins_over_a_link_to_it(tmp_path: Path) -> None:
    touch(tmp_path, "z/real/one.jpg")
    (tmp_path / "a").symlink_to(tmp_path / "z/real")
    assert names(tmp_path) == ["z/real/one.jpg"]


def test_links_to_files_are_files_and_broken_ones_are_problems(tmp_path: Path) -> None:
    touch(tmp_path, "src/a.jpg", "far/b.jpg")
    (tmp_path / "src/b.jpg").symlink_to(tmp_path / "far/b.jpg")
    (tmp_path / "src/gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "src/gone_folder").symlink_to(tmp_path / "nowhere")
    (tmp_path / "src/gone.txt").symlink_to(tmp_path / "nowhere.txt")
    listing = list_source(str(tmp_path / "src"), Path("."))
    assert [file.name for file in listing.files] == ["a.jpg", "b.jpg"]
    assert [(each.path, each.reason) for each in listing.problems] == [
        ("gone.jpg", "broken_link"),
        ("gone_folder", "broken_link"),
    ]
    assert listing.num_ignored == 1


def test_the_order_of_the_file_system_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *(f"{folder}/{number}.jpg" for folder in "abc" for number in range(5)))
    (tmp_path / "b/link").symlink_to(tmp_path / "outside")
    touch(tmp_path, "outside/x.jpg")
    (tmp_path / "d").symlink_to(tmp_path / "outside")
    expected = list_source(str(tmp_path), Path("."))
    scandir = os.scandir

    class Shuffled:
        def __init__(self, path: Path) -> None:
            with scandir(path) as entries:
                self.entries = sorted(entries, key=lambda entry: random.Random(entry.name).random())

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            return iter(self.entries)

        def __exit__(self, *error: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Shuffled)
    assert list_source(str(tmp_path), Path(".")) == expected


def test_folders_that_cannot_be_entered_are_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a/one.jpg", "locked/two.jpg")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    listing = list_source(str(tmp_path), Path("."))
    assert [file.name for file in listing.files] == ["a/one.jpg"]
    assert [(each.path, each.reason, each.detail) for each in listing.problems] == [
        ("locked", "unreadable", "Permission denied")
    ]


def test_a_pipe_named_like_an_image_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")  # reading it would wait for ever
    listing = list_source(str(tmp_path), Path("."))
    assert [(each.path, each.reason) for each in listing.problems] == [("pipe.jpg", "unreadable")]


def test_names_that_are_no_utf_8_are_written_as_escapes(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    touch(tmp_path, "日本 ü.jpg")
    assert names(tmp_path) == ["caf\\xe9.jpg", "日本 ü.jpg"]


def test_a_list_of_paths_is_read_relative_to_its_folder(tmp_path: Path) -> None:
    touch(tmp_path, "lists/here.jpg", "photos/a.jpg", "photos/b.png", "photos/notes.md")
    text = (
        "# a comment\n\n  here.jpg  \n../photos/a.jpg\n./here.jpg\n../photos/gone.jpg\n../photos/notes.md\n"
    )
    (tmp_path / "lists/list.txt").write_text(text + f"{tmp_path}/photos/b.png\n", encoding="utf-8")
    listing = list_source("lists/list.txt", tmp_path)
    assert [file.name for file in listing.files] == ["../photos/a.jpg", "../photos/b.png", "here.jpg"]
    assert [(each.path, each.reason) for each in listing.problems] == [("../photos/gone.jpg", "broken_link")]
    assert (listing.num_ignored, listing.root) == (1, tmp_path / "lists")


def test_names_of_a_list_may_hold_other_separators_of_lines(tmp_path: Path) -> None:
    odd = ["a\u2028b.jpg", "c\x85d.jpg", "e\x0cf.jpg"]
    touch(tmp_path, *odd)
    (tmp_path / "list.txt").write_text("\r\n".join(odd) + "\r\n", encoding="utf-8", newline="")
    listing = list_source("list.txt", tmp_path)
    assert ([file.name for file in listing.files], listing.problems) == (sorted(odd), [])


def test_a_list_in_utf_16_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.jpg\n", encoding="utf-16")
    with pytest.raises(UserError, match=r"list\.txt is no UTF-8 text"):
        list_source("list.txt", tmp_path)


def test_a_link_to_itself_is_a_problem_and_the_rest_goes_on(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    listing = list_source(str(tmp_path), Path("."))
    assert [file.name for file in listing.files] == ["a.jpg"]
    assert [(each.path, each.reason) for each in listing.problems] == [("self.jpg", "unreadable")]


def test_one_video_is_a_source(tmp_path: Path, write_video: Callable[..., Path]) -> None:
    touch(tmp_path, "photo.jpg")
    write_video(tmp_path / "clip.mp4")
    assert names("clip.mp4", tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing", "'missing' does not exist"),
        ("photo.jpg", "neither a video nor a .txt list"),
        ("~nobody-of-this-name/x", "cannot be looked at"),
        ("x" * 300, "cannot be looked at: File name too long"),
    ],
)
def test_bad_sources_are_one_line_errors(source: str, message: str, tmp_path: Path) -> None:
    touch(tmp_path, "photo.jpg")
    with pytest.raises(UserError, match=message) as caught:
        list_source(source, tmp_path)
    assert "\n" not in str(caught.value)
