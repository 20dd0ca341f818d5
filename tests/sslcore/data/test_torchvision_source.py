"""torchvision's data sets by name."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
import torchvision
from PIL import Image

from sslcore.data import SampleDataset, items, read_dataset_info, read_manifest
from sslcore.data.ingest import IngestReport
from sslcore.data.torchvision_set import open_torchvision
from sslcore.errors import ConfigError, UserError

RunIngest = Callable[..., IngestReport]
FAKE = "torchvision:FakeData?size=50&image_size=3,32,32&num_classes=4"


class Tiny:
    """A set with every kind of argument, named classes, and images of several modes."""

    classes = ("night", ("day", "noon"))

    def __init__(
        self,
        root: str,
        year: str = "2012",
        split: str = "train",
        train: bool = True,
        share: float = 1.0,
        size: Any = None,
        download: bool = False,
    ) -> None:
        self.arguments = {**vars(), "self": None}

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[Image.Image, Any]:
        if index == 2:
            raise OSError("cut")
        mode = ("RGBA", "P", "L", "I;16")[index]
        return Image.new(mode, (10, 9), 5), (0, 1, 0, {"boxes": []})[index]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets, "Tiny", Tiny, raising=False)
    monkeypatch.setattr(torchvision.datasets, "__all__", (*torchvision.datasets.__all__, "Tiny"))


def test_a_set_is_ingested_with_its_targets(tmp_path: Path, run_ingest: RunIngest) -> None:
    report = run_ingest(FAKE, tmp_path / "out")
    original = torchvision.datasets.FakeData(50, (3, 32, 32), 4)
    dataset = SampleDataset(tmp_path / "out")
    manifest = dataset.manifest
    assert manifest["filename"].tolist() == [f"FakeData-{index:07d}.png" for index in range(50)]
    for index in (0, 7, 49):
        image, target = original[index]
        np.testing.assert_array_equal(dataset[index][0].permute(1, 2, 0).numpy(), np.asarray(image))
        assert manifest["label"][index] == str(int(target))
        pixels: npt.NDArray[np.uint8] = np.asarray(image)
        digest = hashlib.sha256(b"RGB 32 32 " + pixels.tobytes()).hexdigest()
        assert (manifest["sample_id"][index], manifest["sha256"][index]) == (digest[:20], digest)
    assert read_dataset_info(tmp_path / "out").labels_from == "targets"
    assert "ingest.labels: none turns that off" in report.summary


def test_growing_a_set_appends(
    tmp_path: Path, run_ingest: RunIngest, tree_bytes: Callable[[Path], dict[str, bytes]]
) -> None:
    run_ingest(FAKE, tmp_path / "one")
    run_ingest(FAKE, tmp_path / "same", tmp_path / "one")
    assert tree_bytes(tmp_path / "one") == tree_bytes(tmp_path / "same")
    report = run_ingest(FAKE.replace("size=50", "size=60"), tmp_path / "two", tmp_path / "one")
    assert (report.figures["num_samples"], report.figures["num_new"]) == (60, 10)
    assert len(list((tmp_path / "two/shards").iterdir())) == 2


def test_labels_none_leaves_targets_out(tmp_path: Path, run_ingest: RunIngest) -> None:
    run_ingest(FAKE, tmp_path / "out", labels="none")
    assert read_manifest(tmp_path / "out")["label"].isna().all()


def test_a_pattern_of_names_is_refused(tmp_path: Path, run_ingest: RunIngest) -> None:
    with pytest.raises(UserError, match="a pattern needs file names"):
        run_ingest(FAKE, tmp_path / "out", labels="{label}/*")


@pytest.mark.usefixtures("tiny")
def test_arguments_are_parsed_by_their_types(tmp_path: Path) -> None:
    source = "torchvision:Tiny?year=2007&split=all&train=false&share=0.5&size=3,32,32&root=files"
    arguments = open_torchvision(source, tmp_path)._items.arguments
    assert arguments == {
        "self": None,
        "root": str(tmp_path / "files"),
        "year": "2007",
        "split": "all",
        "train": False,
        "share": 0.5,
        "size": (3, 32, 32),
        "download": True,
    }


@pytest.mark.usefixtures("tiny")
def test_files_go_to_the_workspaces_state_and_downloads_can_be_forbidden(tmp_path: Path) -> None:
    arguments = open_torchvision("torchvision:Tiny?download=false", tmp_path)._items.arguments
    assert arguments["root"] == str(tmp_path / ".state/torchvision")
    assert arguments["download"] is False


@pytest.mark.usefixtures("tiny")
def test_any_mode_named_classes_and_bad_items(tmp_path: Path, run_ingest: RunIngest) -> None:
    run_ingest("torchvision:Tiny", tmp_path / "out")
    manifest = read_manifest(tmp_path / "out").set_index("filename")
    assert manifest["label"].fillna("none").to_dict() == {
        "Tiny-0000000.png": "night",
        "Tiny-0000001.png": "day, noon",
        "Tiny-0000003.png": "none",
    }
    quarantine = pq.read_table(tmp_path / "out/quarantine.parquet").to_pylist()
    assert quarantine == [{"path": "Tiny-0000002.png", "reason": "unreadable", "detail": "item 2: OSError"}]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("torchvision:FakeDatta", ConfigError, "did you mean 'FakeData'"),
        ("torchvision:FakeData?sizes=3", UserError, "no argument 'sizes'; did you mean 'size'"),
        ("torchvision:FakeData?size=0", UserError, "has no images"),
        (
            "torchvision:CIFAR10?download=false",
            UserError,
            r"cannot be opened \(RuntimeError: Dataset not found",
        ),
        ("torchvision:Kinetics", UserError, "cannot be opened|no argument"),
    ],
)
def test_sets_that_cannot_be_opened_are_one_line_errors(
    source: str, error: type[Exception], message: str, tmp_path: Path, run_ingest: RunIngest
) -> None:
    with pytest.raises(error, match=message) as caught:
        run_ingest(source, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_failed_download_is_a_one_line_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("<urlopen error [Errno -3] Temporary failure in name resolution>\nmore")

    monkeypatch.setattr(torchvision.datasets.cifar, "download_and_extract_archive", refuse)
    with pytest.raises(UserError, match="Temporary failure in name resolution.*the network") as caught:
        open_torchvision("torchvision:CIFAR10", tmp_path)
    assert "\n" not in str(caught.value)


def test_sets_without_images_are_refused(tmp_path: Path, run_ingest: RunIngest, tiny: None) -> None:
    class Pairs(Tiny):
        def __getitem__(self, index: int) -> Any:
            return "a", "b"

    torchvision.datasets.Tiny = Pairs
    with pytest.raises(UserError, match=r"gives no image, or \(image, target\), at item 0: it is a str"):
        run_ingest("torchvision:Tiny", tmp_path / "out")


def test_known_images_are_not_encoded_again(
    tmp_path: Path, run_ingest: RunIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_ingest(FAKE, tmp_path / "one")

    def refuse(image: Image.Image) -> bytes:
        raise AssertionError("encoded again")

    monkeypatch.setattr(items, "encode_png", refuse)
    run_ingest(FAKE, tmp_path / "two", tmp_path / "one")
