"""No step on what is not finite: at once, or left to the device and read later."""

import pytest
import torch
from torch import Tensor, nn

from sslcore.errors import NotLearningError
from sslcore.methods import Progress
from sslcore.methods.method import Method
from sslcore.training.finite import MOST_SKIPPED, FiniteSteps, Readings
from sslcore.training.loop import Parts, train_step
from sslcore.training.optimizers import build_optimizer
from sslcore.training.precision import Precision
from sslcore.training.schedules import Schedule

CPU = torch.device("cpu")


class Bad(Method):
    """Its loss is a sum over the weights, times what it is told."""

    name = "bad"

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)
        self.backbone = self.linear
        self.factor = 1.0
        self.moved = 0

    def forward(self, views: object) -> Tensor:
        return self.linear.weight.sum().clamp(max=100.0) * self.factor

    def after_step(self, progress: Progress) -> None:
        self.moved += 1


def step(method: Bad, finite: FiniteSteps, parts: Parts) -> Tensor:
    return train_step(parts, [[torch.zeros(2, 2)]], Progress(0, 10, 10), finite)


def make(name: str = "sgd", dtype: torch.dtype = torch.float32) -> tuple[Bad, Parts]:
    torch.manual_seed(0)
    method = Bad()
    optimizer = build_optimizer(name, method, lr=0.1, weight_decay=0.1)
    return method, Parts(method, lambda *_: [], optimizer, Schedule(optimizer), Precision(dtype, CPU))


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", ["sgd", "adamw", "lars", "rmsprop"])
@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_the_weights_at_the_stop_are_those_before_the_bad_step(
    name: str, asynchronous: bool, factor: float
) -> None:
    method, parts = make(name)
    finite = FiniteSteps(parts.precision, asynchronous=asynchronous)
    step(method, finite, parts)
    before = method.linear.weight.detach().clone()
    method.factor = factor
    reading = step(method, finite, parts)
    assert torch.equal(method.linear.weight, before)
    readings = Readings(CPU)
    readings.add(1, reading)
    with pytest.raises(NotLearningError, match=r"the loss is -?(nan|inf) at step 2; try a lower pretrain.lr"):
        list(readings.arrived())


def test_steps_that_were_queued_after_a_bad_one_are_left_out_too() -> None:
    method, parts = make("adamw")
    finite = FiniteSteps(parts.precision, asynchronous=True)
    method.factor = float("nan")
    step(method, finite, parts)
    before = method.linear.weight.detach().clone()
    method.factor = 1.0
    step(method, finite, parts)
    assert torch.equal(method.linear.weight, before)


def test_a_step_that_is_known_to_be_left_out_moves_no_teacher() -> None:
    method, parts = make("lars")
    method.factor = float("nan")
    step(method, FiniteSteps(parts.precision), parts)
    assert method.moved == 0


def test_a_finite_loss_with_gradients_that_are_not_stops_too() -> None:
    readings = Readings(CPU)
    readings.add(4, torch.tensor([0.5, float("inf")]))
    with pytest.raises(NotLearningError, match="the loss is 0.5 at step 5, but its gradients have norm inf"):
        list(readings.arrived())


def test_fp16_may_skip_steps_while_it_looks_for_a_scale() -> None:
    readings = Readings(CPU, scaled=True)
    for number in range(MOST_SKIPPED):
        readings.add(number, torch.tensor([0.5, float("inf")]))
    assert len(list(readings.arrived())) == MOST_SKIPPED
    readings.add(MOST_SKIPPED, torch.tensor([0.5, float("inf")]))
    with pytest.raises(NotLearningError, match="have norm inf"):
        list(readings.arrived())


def test_fp16_scales_the_loss_and_gives_the_gradients_back_unscaled() -> None:
    method, parts = make(dtype=torch.float16)
    exact, plain = make()
    for each, one in ((method, parts), (exact, plain)):
        reading = step(each, FiniteSteps(one.precision), one)
        assert torch.isfinite(reading).all()
    torch.testing.assert_close(method.linear.weight, exact.linear.weight)
    method.factor = float("nan")
    before, scale = method.linear.weight.detach().clone(), parts.precision.scaler.get_scale()
    step(method, FiniteSteps(parts.precision), parts)
    assert torch.equal(method.linear.weight, before)
    assert parts.precision.scaler.get_scale() == scale / 2


def test_gradients_are_clipped_to_a_norm() -> None:
    method, parts = make()
    parts.clip_grad_norm = 0.5
    seen: list[Tensor] = []
    hook = lambda *_: seen.extend(each.grad for each in method.parameters() if each.grad is not None)  # noqa: E731
    parts.optimizer.register_step_pre_hook(hook)
    norm = float(step(method, FiniteSteps(parts.precision), parts)[1])
    assert norm == pytest.approx(2**0.5)
    assert float(torch.linalg.vector_norm(seen[0])) == pytest.approx(0.5, rel=1e-4)
