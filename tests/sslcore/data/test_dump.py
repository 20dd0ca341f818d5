"""Samples as image files again: the right bytes under the right name, all or none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sslcore.data import SampleDataset
from sslcore.data.dump import choose_samples, dump_samples, read_names, safe_name
from sslcore.errors import UserError

Write = Callable[..., Path]
RunIngest = Callable[..., object]
TreeBytes = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def source(tmp_path: Path, write_image: Write) -> Path:
    for seed in range(12):
        write_image(tmp_path / f"source/{'ab'[seed % 2]}/{seed}.png", seed)
    return tmp_path / "source"


@pytest.fixture
def samples(source: Path, tmp_path: Path, run_ingest: RunIngest) -> SampleDataset:
    run_ingest(source, tmp_path / "dataset")
    return SampleDataset(tmp_path / "dataset")


def test_the_source_comes_back_byte_for_byte(
    source: Path, tmp_path: Path, samples: SampleDataset, tree_bytes: TreeBytes
) -> None:
    report = dump_samples(samples, range(12), tmp_path / "out")
    assert tree_bytes(tmp_path / "out") == tree_bytes(source)
    assert (report.num_files, report.num_bytes) == (12, sum(map(len, tree_bytes(source).values())))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    "asked", [["a/2.png", "a/10.png"], ["a/10.png", "a/2.png"], ["./a/10.png", "a/2.png"]]
)
def test_each_name_gets_its_own_bytes_in_whatever_order_it_is_asked(
    asked: list[str], source: Path, tmp_path: Path, samples: SampleDataset
) -> None:
    # lightly 1.5 pairs the dataset's order with sorted names: "10" sorts before "2", each gets the other's.
    dump_samples(samples, choose_samples(samples, filenames=asked), tmp_path / "out")
    for name in ("a/2.png", "a/10.png"):
        assert (tmp_path / "out" / name).read_bytes() == (source / name).read_bytes()
    assert len(list((tmp_path / "out/a").iterdir())) == 2


def test_frames_are_pngs_of_the_plain_decode(
    tmp_path: Path,
    write_video: Write,
    run_ingest: RunIngest,
    plain_decode: Callable[[Path], list[np.ndarray]],
) -> None:
    video = write_video(tmp_path / "source/clip.mp4", num_frames=12)
    run_ingest("source", tmp_path / "dataset", frames="every 5")
    samples = SampleDataset(tmp_path / "dataset")
    dump_samples(samples, reversed(range(len(samples))), tmp_path / "out")
    frames = plain_decode(video)
    assert len(list((tmp_path / "out").iterdir())) == 3
    for index in (0, 5, 10):
        with Image.open(tmp_path / f"out/clip-{index:02d}-mp4.png") as image:
            np.testing.assert_array_equal(np.asarray(image), frames[index])


def test_smaller_stores_say_so_in_the_names(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    for format, ending, kind in (("jpeg", ".png.jpg", "JPEG"), ("uint8", ".png", "PNG")):
        run_ingest(source, tmp_path / format, store={"format": format, "short_side": 8})
        dump_samples(SampleDataset(tmp_path / format), [0, 3], tmp_path / f"out-{format}")
        with Image.open(tmp_path / f"out-{format}/a/0{ending}") as image:
            assert (image.format, image.size) == (kind, (12, 8))


def test_splits_labels_and_ids_are_combined(samples: SampleDataset) -> None:
    manifest = samples.manifest
    rows = choose_samples(samples, splits=["train"], labels=["b"], sample_ids=manifest["sample_id"][:9])
    expected = manifest[:9].query("split == 'train' and label == 'b'").index.tolist()
    assert rows == expected != []


def test_a_duplicates_name_stands_for_the_sample(source: Path, tmp_path: Path, run_ingest: RunIngest) -> None:
    (source / "b/twin.png").write_bytes((source / "a/0.png").read_bytes())
    run_ingest(source, tmp_path / "dataset")
    samples = SampleDataset(tmp_path / "dataset")
    rows = choose_samples(samples, filenames=["b/twin.png", "a/2.png"])
    assert samples.manifest["filename"][rows].tolist() == ["a/0.png", "a/2.png"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"filenames": ["a/0.png", "a/zero.png"]}, "no sample of the dataset named a/zero.png"),
        ({"sample_ids": ["ffff"]}, "no sample_id of the dataset named ffff"),
        ({"labels": ["c"]}, "no label of the dataset named c"),
        ({"labels": ["a"], "filenames": ["b/1.png"]}, "fits all that is asked"),
    ],
)
def test_what_is_not_there_is_named(
    asked: dict[str, list[str]], message: str, samples: SampleDataset
) -> None:
    with pytest.raises(UserError, match=message):
        choose_samples(samples, **asked)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.png", "a/b.png"),
        ("../x/y.png", "__/x/y.png"),
        ("/etc/passwd", "etc/passwd"),
        ("a/../../b.png", "a/__/__/b.png"),
        ("a/./b\n.png", "a/b_.png"),
        ("..", "__"),
        ("/", "_"),
    ],
)
def test_names_stay_below_the_folder(name: str, expected: str, tmp_path: Path) -> None:
    assert safe_name(name) == expected
    assert (tmp_path / safe_name(name)).resolve().is_relative_to(tmp_path.resolve())


def renamed(samples: SampleDataset, names: dict[int, str]) -> SampleDataset:
    path = samples.path / "manifest.parquet"
    table = pq.read_table(path)
    filenames = table.column("filename").to_pylist()
    for row, name in names.items():
        filenames[row] = name
    place = table.column_names.index("filename")
    pq.write_table(table.set_column(place, "filename", pa.array(filenames, pa.string())), path)
    return SampleDataset(samples.path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({0: "../x.png", 1: "__/x.png"}, "'../x.png' and '__/x.png' would both be written to '__/x.png'"),
        ({0: "x", 1: "x/y.png"}, "'x/y.png' would lie inside the file 'x'"),
    ],
)
def test_collisions_are_refused_before_anything_is_written(
    names: dict[int, str], message: str, samples: SampleDataset, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        dump_samples(renamed(samples, names), range(12), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_left_alone(samples: SampleDataset, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    dump_samples(samples, [0], tmp_path / "out")
    with pytest.raises(UserError, match="out is there and not empty: name a new folder"):
        dump_samples(samples, [1], tmp_path / "out")


def test_nothing_is_left_where_writing_fails(
    samples: SampleDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"\.png cannot be written: No space left on device"):
        dump_samples(samples, range(12), tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


def test_a_list_of_names_is_read(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\ufeffa/0.png\n\n b 1.png \n", encoding="utf-8")
    assert read_names(tmp_path / "names.txt") == ["a/0.png", "b 1.png"]
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(UserError, match=r"empty\.txt names no sample"):
        read_names(tmp_path / "empty.txt")
    with pytest.raises(UserError, match="is no text file of names"):
        read_names(tmp_path / "missing.txt")
