"""Remote folders: the same as a local one, fetched once, and honest about what did not come."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import fsspec
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from sslcore.data import pool, read_manifest, remote
from sslcore.data.ingest import IngestReport
from sslcore.data.quarantine import Problem
from sslcore.data.remote import RemoteFolder, is_remote
from sslcore.errors import UserError

Write = Callable[..., Path]
RunIngest = Callable[..., IngestReport]
TreeBytes = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def local(tmp_path: Path, write_image: Write, write_video: Write) -> Path:
    """Images at two depths, a video, labels, and a bad file."""
    source = tmp_path / "local"
    for seed, name in enumerate(["a.png", "deep/b.png", "deep/er/c.png", "other/d.png"]):
        write_image(source / name, seed)
    write_video(source / "deep/clip.mp4", num_frames=12)
    (source / "labels.csv").write_text("filename,label\na.png,cat\n", encoding="utf-8")
    (source / "bad.jpg").write_bytes(b"")
    (source / ".hidden.png").write_bytes(b"x")
    return source


@pytest.fixture
def memory(local: Path) -> Iterator[MemoryFileSystem]:
    """The same in fsspec's memory, below /bucket/set."""
    system = fsspec.filesystem("memory")
    for path in local.rglob("*"):
        if path.is_file():
            system.pipe_file(f"/bucket/set/{path.relative_to(local).as_posix()}", path.read_bytes())
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are fetched."""
    names: list[str] = []
    get_file = MemoryFileSystem.get_file

    def spy(self: MemoryFileSystem, path: str, target: str, **options: Any) -> None:
        names.append(path.removeprefix("/bucket/set/"))
        get_file(self, path, target, **options)

    monkeypatch.setattr(MemoryFileSystem, "get_file", spy)
    return names


def without_source(dataset: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(dataset / "manifest.parquet").drop(["source"]).to_pylist()
    return rows


@pytest.mark.parametrize("small_files", [0, 300])
def test_a_remote_folder_gives_what_the_local_one_gives(
    small_files: int,
    local: Path,
    memory: MemoryFileSystem,
    tmp_path: Path,
    run_ingest: RunIngest,
    tree_bytes: TreeBytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_ingest(local, tmp_path / "one", frames="every 5")
    monkeypatch.setattr(pool, "SMALL_FILES", small_files)
    run_ingest("memory://bucket/set", tmp_path / "two", frames="every 5", num_workers=2)
    assert without_source(tmp_path / "one") == without_source(tmp_path / "two")
    assert tree_bytes(tmp_path / "one/shards") == tree_bytes(tmp_path / "two/shards")
    assert read_manifest(tmp_path / "two")["label"].dropna().tolist() == ["cat"]
    quarantine = pq.read_table(tmp_path / "two/quarantine.parquet").to_pylist()
    assert [(row["path"], row["reason"]) for row in quarantine] == [("bad.jpg", "zero_bytes")]
    assert sorted(path.name for path in (tmp_path / "two").iterdir() if path.is_dir()) == ["shards"]


def test_only_what_has_changed_is_fetched_again(
    memory: MemoryFileSystem,
    tmp_path: Path,
    run_ingest: RunIngest,
    encoded: Callable[..., bytes],
    fetched: list[str],
) -> None:
    run_ingest("memory://bucket/set", tmp_path / "one")
    assert "deep/clip.mp4" in fetched
    fetched.clear()
    memory.pipe_file("/bucket/set/new.png", encoded(9))
    memory.pipe_file("/bucket/set/a.png", encoded(8))
    run_ingest("memory://bucket/set", tmp_path / "two", tmp_path / "one")
    assert sorted(fetched) == ["a.png", "bad.jpg", "labels.csv", "new.png"]
    assert len(read_manifest(tmp_path / "two")) == len(read_manifest(tmp_path / "one")) + 1


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would be waited."""
    found: list[float] = []
    monkeypatch.setattr(remote.time, "sleep", found.append)  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(("failures", "kept"), [(2, True), (99, False)])
def test_a_lost_connection_is_tried_again_and_then_named(
    failures: int,
    kept: bool,
    memory: MemoryFileSystem,
    tmp_path: Path,
    run_ingest: RunIngest,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    get_file, left = MemoryFileSystem.get_file, [failures]

    def breaks(self: MemoryFileSystem, path: str, target: str, **options: Any) -> None:
        if path.endswith("/c.png") and left[0]:
            left[0] -= 1
            Path(target).write_bytes(b"half")
            raise ConnectionResetError(104, "Connection reset by peer")
        get_file(self, path, target, **options)

    monkeypatch.setattr(MemoryFileSystem, "get_file", breaks)
    run_ingest("memory://bucket/set", tmp_path / "out")
    assert waits == ([0.5, 1.0] if kept else [0.5, 1.0, 2.0])
    assert ("deep/er/c.png" in set(read_manifest(tmp_path / "out")["filename"])) is kept
    problems = {row["path"]: row for row in pq.read_table(tmp_path / "out/quarantine.parquet").to_pylist()}
    if not kept:
        detail = "could not be fetched in 4 attempts (ConnectionResetError)"
        assert problems["deep/er/c.png"] == {
            "path": "deep/er/c.png",
            "reason": "unreadable",
            "detail": detail,
        }


def test_half_a_file_is_not_taken_for_a_whole_one(
    memory: MemoryFileSystem, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        MemoryFileSystem, "get_file", lambda self, path, target: Path(target).write_bytes(b"ha")
    )
    folder = RemoteFolder("memory://bucket/set", {})
    file = next(each for each in folder.listing(tmp_path).files if each.name == "a.png")
    problem = folder.fetch(file, tmp_path / "x")
    assert problem is not None
    assert "4 attempts (OSError)" in problem.detail
    assert len(waits) == 3


def test_what_may_not_be_read_is_not_tried_again(
    memory: MemoryFileSystem, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RemoteFolder("memory://bucket/set", {})
    file = folder.listing(tmp_path).files[0]

    def refuse(self: object, path: str, target: str) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(MemoryFileSystem, "get_file", refuse)
    assert folder.fetch(file, tmp_path / "x") == Problem(file.name, "unreadable", "access denied")
    assert waits == []


def test_one_remote_video_is_a_source(
    memory: MemoryFileSystem, tmp_path: Path, run_ingest: RunIngest
) -> None:
    run_ingest("memory://bucket/set/deep/clip.mp4", tmp_path / "out", frames="every 4")
    assert read_manifest(tmp_path / "out")["filename"].tolist() == [
        f"clip-{index:02d}-mp4.png" for index in (0, 4, 8)
    ]


def test_the_fingerprint_says_whether_anything_has_changed(memory: MemoryFileSystem) -> None:
    before = RemoteFolder("memory://bucket/set", {}).fingerprint()
    assert before == RemoteFolder("memory://bucket/set", {}).fingerprint()
    assert before.startswith("memory://bucket/set\n8 files\n")
    memory.pipe_file("/bucket/set/labels.csv", b"filename,label\na.png,dog\n")
    assert before != RemoteFolder("memory://bucket/set", {}).fingerprint()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("memory://nowhere/at-all", "does not exist, or nothing is in it"),
        ("nosuch://bucket", "cannot be opened: Protocol not known: nosuch"),
    ],
)
def test_bad_addresses_are_one_line_errors(
    source: str, message: str, tmp_path: Path, run_ingest: RunIngest
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        run_ingest(source, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_what_is_remote() -> None:
    sources = ["s3://b/p", "gs://b", "data/source", "/abs", "torchvision:CIFAR10?root=s3://x", "a:b.mp4"]
    assert [is_remote(source) for source in sources] == [True, True, False, False, False, False]


@pytest.fixture
def s3(local: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """An S3 server on this machine with the same files in it: its address, and a file system on it."""
    server_module = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    for name, value in (
        ("ACCESS_KEY_ID", "key"),
        ("SECRET_ACCESS_KEY", "secret"),
        ("DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    address = f"http://127.0.0.1:{port}"
    # All servers of a process share what is in them.
    urlopen(Request(f"{address}/moto-api/reset", method="POST")).close()
    system = fsspec.filesystem("s3", endpoint_url=address, skip_instance_cache=True)
    system.mkdir("bucket")
    system.put(f"{local}/", "bucket/set/", recursive=True)
    yield address, system
    server.stop()


@pytest.mark.filterwarnings("ignore")
def test_a_bucket_is_a_source(
    s3: tuple[str, Any], local: Path, tmp_path: Path, run_ingest: RunIngest, encoded: Callable[..., bytes]
) -> None:
    address, system = s3
    options = {"endpoint_url": address}
    run_ingest(local, tmp_path / "local-out", frames="every 5")
    run_ingest("s3://bucket/set", tmp_path / "one", frames="every 5", storage_options=options)
    assert without_source(tmp_path / "one") == without_source(tmp_path / "local-out")
    versions = {
        row["name"]: row["version"] for row in pq.read_table(tmp_path / "one/remote.parquet").to_pylist()
    }
    assert len(versions["a.png"]) == 32  # an ETag
    system.pipe_file("bucket/set/new/e.png", encoded(7))
    report = run_ingest(
        "s3://bucket/set", tmp_path / "two", tmp_path / "one", frames="every 5", storage_options=options
    )
    assert report.figures["num_new"] == 1
    with pytest.raises(UserError, match="does not exist"):
        run_ingest("s3://bucket/gone", tmp_path / "three", storage_options=options)


@pytest.mark.filterwarnings("ignore")
def test_the_server_may_be_named_by_the_environment(
    s3: tuple[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3[0])
    files = RemoteFolder("s3://bucket/set", {"skip_instance_cache": True}).listing(tmp_path).files
    assert [file.name for file in files][:2] == ["a.png", "bad.jpg"]
