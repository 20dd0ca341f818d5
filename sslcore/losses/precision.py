"""Losses are computed in fp32, whatever arithmetic the network runs in."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

__all__ = ["in_fp32"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def in_fp32(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Make a function of tensors run without autocast on fp32 versions of its floating-point tensors.

    Tensors in lists and tuples are converted too.
    """

    @wraps(function)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with torch.autocast(_device_type((*args, *kwargs.values())), enabled=False):
            converted: Any = function
            return converted(  # type: ignore[no-any-return]
                *map(_to_fp32, args), **{key: _to_fp32(value) for key, value in kwargs.items()}
            )

    return run


def _to_fp32(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, list | tuple):
        return [_to_fp32(each) for each in value]
    return value


def _device_type(values: Any) -> str:
    for value in values:
        if isinstance(value, Tensor):
            return value.device.type
        if isinstance(value, list | tuple) and value:
            return _device_type(value)
    return "cpu"
