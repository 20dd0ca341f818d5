"""Somebody downstream, in a clean environment without sslflow, loads both registered models by alias."""

import json
import os
import subprocess
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sslcore.augment import normalize
from sslcore.backbones import build_backbone, load_backbone, save_backbone
from sslcore.data.decode import decode_resized
from tasks.fingerprints import plan_stage
from tasks.registry import fetch_version, promote, register
from tasks.tracking import Tracker, connect, tracking_uri
from tasks.workspace import Workspace

CONSUMER = """
import importlib.util, json, sys
import mlflow, numpy as np, torch
from safetensors.torch import load_file

assert not [name for name in ("sslcore", "tasks", "flows") if importlib.util.find_spec(name)]
folder, size = sys.argv[1], int(sys.argv[2])
backbone = mlflow.pytorch.load_model("models:/sslflow-backbone@champion")
images = torch.from_numpy(np.load(folder + "/images.npy"))
files = mlflow.artifacts.download_artifacts("models:/sslflow-backbone@champion") + "/extra_files/"
free = torch.export.load(files + "backbone.pt2").module()
other = torch.rand(3, 3, size + 16, size + 32)
spec = json.load(open(files + "model.json"))
embedder = mlflow.pyfunc.load_model("models:/sslflow-embedder@champion")
paths = [folder + "/0.png", folder + "/1.png"]
with torch.no_grad():
    np.savez(
        folder + "/out.npz",
        features=backbone(images).numpy(),
        one=backbone(images[:1]).numpy(),
        free=free(images).numpy(),
        other_in=other.numpy(),
        other=free(other).numpy(),
        by_path=embedder.predict([{"path": path} for path in paths]),
        by_bytes=embedder.predict([{"image": open(path, "rb").read()} for path in paths]),
    )
print(json.dumps([spec["image_size"], sorted(load_file(files + "backbone.safetensors"))[:1]]))
"""


@pytest.fixture
def clean_python(tmp_path: Path) -> Path:
    """A second environment with our packages but not sslflow: a .pth is not followed from another."""
    venv.create(tmp_path / "clean", with_pip=False, symlinks=True)
    python = tmp_path / "clean" / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    (Path(site) / "packages.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python


@pytest.mark.slow
def test_a_consumer_without_sslflow_gets_the_same_features(
    make_workspace: Callable[[str], Workspace], tmp_path: Path, clean_python: Path
) -> None:
    workspace = make_workspace("w")
    folder = workspace.root / "models" / "backbone"
    folder.mkdir(parents=True)
    size = 32
    made = build_backbone("resnet18-small", image_size=size, seed=1)
    save_backbone(folder, made, backbone="resnet18-small", image_size=size)
    tracker = Tracker(workspace, workspace.params(), plan_stage(workspace, "ingest"))
    client = connect(workspace)
    version = register(client, str(tracker.run_id), folder)
    assert register(client, str(tracker.run_id), folder) == version
    promote(client, version)
    tracker.finish("FINISHED", {}, [])

    module, info = load_backbone(folder)
    fetched = fetch_version(client, workspace, "champion")
    assert load_backbone(fetched)[1].model_id == info.model_id
    work = tmp_path / "work"
    work.mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(work / f"{number}.png")
    images = rng.standard_normal((5, 3, size, size)).astype(np.float32)
    np.save(work / "images.npy", images)
    environment = {**os.environ, "MLFLOW_TRACKING_URI": tracking_uri(workspace)}
    command = [str(clean_python), "-I", "-c", CONSUMER, str(work), str(size)]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])[0] == size

    out = np.load(work / "out.npz")
    with torch.no_grad():
        expected = module(torch.from_numpy(images)).numpy()
        np.testing.assert_allclose(out["features"], expected, atol=1e-4)
        np.testing.assert_allclose(out["one"], expected[:1], atol=1e-4)
        np.testing.assert_allclose(out["free"], expected, atol=1e-4)
        np.testing.assert_allclose(out["other"], module(torch.from_numpy(out["other_in"])).numpy(), atol=1e-4)
        pixels = [np.asarray(decode_resized((work / f"{n}.png").read_bytes(), size)) for n in range(2)]
        batch = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
        vectors = module(normalize(batch, info.normalization)).numpy()
    np.testing.assert_allclose(out["by_path"], vectors, atol=1e-4)
    np.testing.assert_allclose(out["by_bytes"], vectors, atol=1e-4)
