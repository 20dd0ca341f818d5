"""The parts of a run by themselves: averages, batches, batch size, timing, traces, probes, what is kept."""

import gzip
import json
import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sslcore.augment import build_views
from sslcore.backbones import build_backbone, load_backbone
from sslcore.config import PretrainConfig
from sslcore.data import SampleDataset
from sslcore.errors import ConfigError, UserError
from sslcore.evaluation import linear_probe
from sslcore.methods import SimCLR
from sslcore.training import find_batch_size as trial
from sslcore.training.batches import global_batch_size, make_batches
from sslcore.training.ema import WeightAverage
from sslcore.training.fast_probe import ridge_predict
from sslcore.training.flops import count_flops, peak_flops
from sslcore.training.online import OnlineEvaluation, affordable_images
from sslcore.training.precision import Precision
from sslcore.training.pretrain import PretrainReport, pretrain
from sslcore.training.timing import Timing
from sslcore.training.view_stream import view_stream

CPU = torch.device("cpu")
TINY: dict[str, Any] = {
    "backbone": "resnet10-small",
    "image_size": 16,
    "epochs": 1,
    "batch_size": 8,
    "num_workers": 0,
    "precision": "fp32",
    "device": "cpu",
}


def train(dataset: Path, output: Path, **settings: Any) -> PretrainReport:
    output.mkdir()
    config = PretrainConfig(**{**TINY, **settings})
    return pretrain(config, dataset=dataset, output=output, traces=output.parent / "traces")


def test_an_average_follows_by_its_formula() -> None:
    module = nn.BatchNorm1d(2)
    average = WeightAverage(module, 0.9)
    expected = torch.ones(2)
    for number in range(3):
        with torch.no_grad():
            module.weight.fill_(float(number))
            module.running_mean.fill_(float(number))  # type: ignore[union-attr]
        average.update(module)
        decay = min(0.9, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * number
    state = average.average.state_dict()
    torch.testing.assert_close(state["weight"], expected)
    assert state["running_mean"].tolist() == [2.0, 2.0]


def test_an_average_goes_on_where_it_was_saved() -> None:
    module = nn.Linear(2, 2)
    first, second = WeightAverage(module, 0.99), WeightAverage(nn.Linear(2, 2), 0.99)
    first.update(nn.Linear(2, 2))
    second.load_state_dict(first.state_dict())
    for each in (first, second):
        each.update(module)
    assert torch.equal(first.average.weight, second.average.weight)  # type: ignore[arg-type]


def test_the_average_is_what_is_kept(make_dataset: Any, tmp_path: Path) -> None:
    dataset = make_dataset()
    train(dataset, tmp_path / "plain")
    train(dataset, tmp_path / "average", ema_decay=0.999)
    files = [(tmp_path / name / "backbone.safetensors").read_bytes() for name in ("plain", "average")]
    assert files[0] != files[1]
    assert load_backbone(tmp_path / "average")[1].embed_dim == 512


@pytest.mark.parametrize("settings", [{}, {"cache_megabytes": 0}], ids=["memory", "store"])
def test_batches_go_on_at_any_batch_of_any_epoch(settings: Any, make_dataset: Any) -> None:
    samples = SampleDataset(make_dataset(40), splits=("train",), image_size=18)
    config = PretrainConfig(**{**TINY, **settings})
    batches = make_batches(config, samples, 8, CPU)
    whole = list(batches(1, 0))
    assert len(whole) == len(samples) // 8
    assert torch.equal(torch.stack(list(batches(1, 2))), torch.stack(whole[2:]))
    assert torch.equal(torch.stack(list(batches(1, 0))), torch.stack(whole))
    assert not torch.equal(next(batches(2, 0)), whole[0])


def test_a_batch_is_divided_evenly() -> None:
    assert global_batch_size(10, num_samples=100, accumulate=4) == 8
    assert global_batch_size(64, num_samples=33, accumulate=2) == 32
    with pytest.raises(UserError, match="at least 2 are needed for each of the 4 parts of a batch"):
        global_batch_size(7, num_samples=100, accumulate=4)


def test_views_of_a_step_depend_on_the_step_alone() -> None:
    views = build_views("simclr-small", image_size=16)
    images = torch.randint(0, 256, (5, 4, 3, 18, 18), dtype=torch.uint8)
    whole = list(view_stream(iter(images), views, device=CPU, seed=1))
    rest = list(view_stream(iter(images[3:]), views, device=CPU, seed=1, first_step=3))
    assert torch.equal(rest[1][0][0], whole[4][0][0])
    other = next(view_stream(iter(images), views, device=CPU, seed=1, rank=1))
    assert not torch.equal(other[0][0], whole[0][0][0])
    halves = next(view_stream(iter(images), views, device=CPU, seed=1, accumulate=2))
    assert [len(part[0]) for part in halves] == [2, 2]


def test_flops_of_a_product_are_two_for_each_multiplication() -> None:
    a, b = torch.ones(4, 5), torch.ones(5, 6)
    result, flops = count_flops(lambda: a @ b)
    assert flops == 2 * 4 * 5 * 6
    assert torch.equal(result, a @ b)


def test_a_cpus_peak_is_measured() -> None:
    flops, source = peak_flops(CPU, torch.float32)
    assert flops > 1e8
    assert source == "a matrix product measured here"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
    ],
)
def test_published_peaks_are_found_by_name(
    name: str, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert peak_flops(torch.device("cuda"), torch.bfloat16)[0] == expected


def test_timing_tells_waiting_from_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("sslcore.training.timing.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("sslcore.training.timing.peak_flops", lambda *_: (100.0, "here"))
    timing = Timing(CPU, torch.float32)

    def slow(epoch: int, done: int) -> Any:
        for _ in range(4):
            clock[0] += 1.0
            yield torch.zeros(2)

    timing.flops_per_step = 50.0
    for _ in timing.of(slow)(0, 0):
        clock[0] += 3.0
        timing.step(10)
    timing.apart(8.0)
    clock[0] += 8.0
    figures = timing.figures()
    assert figures["images_per_second"] == 40 / 16
    assert figures["data_wait_share"] == 4 / 16
    assert figures["model_flops_share"] == 50 * 4 / 16 / 100
    assert figures["peak_memory_gigabytes"] > 0.01
    clock[0] += 4.0
    assert timing.evaluated(4.0) == 4 / 20
    timing.restart()
    clock[0] += 20.0
    assert timing.evaluated(0.0) == 4 / 40


def test_a_batch_size_is_doubled_while_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    method = SimCLR(build_backbone("resnet10-small", image_size=16))
    views = build_views("simclr-small", image_size=16)
    before = torch.get_rng_state(), {key: each.clone() for key, each in method.state_dict().items()}
    settings: dict[str, Any] = {"optimizer": "sgd", "image_size": 18}
    found = trial.find_batch_size(method, views, precision=Precision(torch.float32, CPU), most=40, **settings)
    assert found == 32
    assert torch.equal(torch.get_rng_state(), before[0])
    assert all(torch.equal(each, before[1][key]) for key, each in method.state_dict().items())
    speeds = {32: 10.0, 64: 15.0, 128: 15.1, 256: 40.0}
    monkeypatch.setattr(trial, "_try", lambda *given: speeds[given[3]])
    assert trial.find_batch_size(method, views, precision=Precision(torch.float32, CPU), **settings) == 64


def test_on_a_gpu_the_largest_that_fits_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_try", lambda *given: 1.0 if given[3] <= 256 else None)
    precision = Precision(torch.float32, CPU)
    precision.device = torch.device("cuda")
    method, views = (
        SimCLR(build_backbone("resnet10-small", image_size=16)),
        build_views("simclr", image_size=16),
    )
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: torch.no_grad())
    assert trial.find_batch_size(method, views, optimizer="sgd", image_size=16, precision=precision) == 256


def test_find_is_a_batch_size(make_dataset: Any, tmp_path: Path) -> None:
    report = train(make_dataset(100), tmp_path / "out", batch_size="find")
    assert "there are no more samples" not in report.summary
    assert report.figures["loss"] > 0


def test_a_trace_opens_as_json_and_names_what_ran(make_dataset: Any, tmp_path: Path) -> None:
    train(make_dataset(40), tmp_path / "out", epochs=3, profile=True)
    with gzip.open(tmp_path / "traces" / "pretrain-rank0.json.gz") as file:
        names = {event.get("name") for event in json.load(file)["traceEvents"]}
    assert any("conv" in str(name) for name in names)
    assert not list((tmp_path / "out").glob("*.gz"))


def test_a_run_too_short_for_a_trace_says_so(
    make_dataset: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(make_dataset(20), tmp_path / "out", profile=True)
    assert "no trace was written: it takes 7 steps" in caplog.text


@pytest.mark.parametrize("count", [20, 200], ids=["fewer than dimensions", "more"])
def test_the_fast_probe_finds_what_the_slow_one_finds(count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    centres = 3 * torch.randn(3, 40, generator=generator)
    labels = torch.arange(count) % 3
    features = centres[labels] + torch.randn(count, 40, generator=generator)
    queries, truth = centres.repeat(20, 1) + torch.randn(60, 40, generator=generator), torch.arange(60) % 3
    fast = ridge_predict(features, labels, queries, num_classes=3)
    slow = linear_probe(features, labels, queries, num_classes=3)
    assert float((fast == truth).double().mean()) > 0.95
    assert float((fast == slow).double().mean()) > 0.95


def test_the_ridge_solves_its_equations() -> None:
    x = torch.randn(12, 3, generator=torch.Generator().manual_seed(1)).double()
    labels = torch.arange(12) % 2
    standard = (x - x.mean(0)) / x.std(0, correction=0)
    target = nn.functional.one_hot(labels, 2).double() - 0.5
    weights = torch.linalg.lstsq(
        torch.cat((standard, math.sqrt(12 * 0.3) * torch.eye(3).double())),
        torch.cat((target, torch.zeros(3, 2).double())),
    ).solution
    predicted = ridge_predict(x, labels, x, num_classes=2, l2=0.3)
    assert torch.equal(predicted, (standard @ weights).argmax(dim=1))


def test_measuring_is_planned_within_its_share_of_the_arithmetic(make_dataset: Any) -> None:
    backbone = build_backbone("resnet10-small", image_size=16)
    _, flops = count_flops(
        lambda: backbone(torch.zeros(1, 3, 16, 16)) if not backbone.eval().training else None
    )
    most = affordable_images(backbone, image_size=16, flops_between=1000 * flops, share=0.2, device=CPU)
    assert most in (99, 100)  # rounding
    dataset = make_dataset(400)
    few = OnlineEvaluation(dataset, image_size=16, most_images=150)
    assert few.num_images == 150
    assert OnlineEvaluation(dataset, image_size=16, most_images=1).num_images == 128


def test_measures_come_with_labels_and_views(make_dataset: Any) -> None:
    views = build_views("simclr-small", image_size=16)
    online = OnlineEvaluation(make_dataset(), image_size=16, views=views)
    backbone = build_backbone("resnet10-small", image_size=16, seed=0)
    state = torch.get_rng_state()
    first, second = (online.measure(backbone, CPU) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), state)
    names = {"knn_accuracy", "probe_accuracy", "alignment", "uniformity", "effective_rank", "feature_std"}
    assert set(first) == names


@pytest.mark.parametrize(("keep", "kept"), [("best", 1), ("auto", 1), ("last", 3)])
def test_the_backbone_kept_is_the_best_on_validation(
    keep: str, kept: int, make_dataset: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, values = make_dataset(), iter([0.9, 0.2, 0.5])
    monkeypatch.setattr(OnlineEvaluation, "measure", lambda *_: {"knn_accuracy": next(values)})
    report = train(dataset, tmp_path / "out", epochs=3, eval_every_epochs=1, keep=keep)
    assert report.figures["kept_epoch"] == kept
    assert load_backbone(tmp_path / "out")[1].metrics["knn_accuracy"] == {1: 0.9, 3: 0.5}[kept]
    monkeypatch.undo()
    train(dataset, tmp_path / "same", epochs=3, keep="last")
    same = [(tmp_path / name / "backbone.safetensors").read_bytes() for name in ("out", "same")]
    assert (same[0] == same[1]) is (kept == 3)


def test_best_needs_something_to_go_by(make_dataset: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pretrain.keep: best needs knn_accuracy, and there are no labels"):
        train(make_dataset(labels=False), tmp_path / "out", keep="best")


def test_a_run_is_as_many_steps_as_asked(make_dataset: Any, tmp_path: Path) -> None:
    train(make_dataset(40), tmp_path / "out", max_steps=5, epochs=100)
    assert (tmp_path / "out" / "history.csv").read_text().count("\n") == 3


def test_a_run_fits_into_its_minutes(
    make_dataset: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    train(make_dataset(40), tmp_path / "out", max_minutes=0.03, epochs=100_000, eval_every_epochs=100_000)
    lines = (tmp_path / "out" / "history.csv").read_text().splitlines()
    assert 2 <= len(lines) < 100_000


def test_compiling_compiles_the_backbone(
    make_dataset: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[str | None] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, mode: modes.append(mode))
    dataset = make_dataset()
    train(dataset, tmp_path / "a", compile="default")
    train(dataset, tmp_path / "b", compile="reduce-overhead")
    assert modes == [None, "reduce-overhead"]


@pytest.mark.parametrize(
    "settings",
    [{"clip_grad_norm": 0.1}, {"accumulate": 2}, {"layer_decay": 0.5}],
    ids=str,
)
def test_a_setting_of_the_step_changes_the_training(
    settings: dict[str, Any], make_dataset: Any, tmp_path: Path
) -> None:
    dataset = make_dataset()
    train(dataset, tmp_path / "plain")
    train(dataset, tmp_path / "set", **settings)
    texts = [(tmp_path / name / "history.csv").read_text() for name in ("plain", "set")]
    assert texts[0] != texts[1]
