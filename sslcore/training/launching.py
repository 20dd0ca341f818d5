"""Start several training processes on this machine, as torchrun does, and hear what the first one says."""

import contextlib
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sslcore.config import PretrainConfig
from sslcore.errors import ConfigError, SslflowError, TrainingInterrupted
from sslcore.monitor import SILENT, Monitor

if TYPE_CHECKING:
    from sslcore.training.pretrain import PretrainReport

__all__ = ["pretrain_in_processes"]

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def pretrain_in_processes(
    config: PretrainConfig, *, monitor: Monitor, **places: Path | None
) -> "PretrainReport":
    """Run `pretrain` in ``config.num_processes`` processes under PyTorch's elastic agent (torchrun's).

    When one dies, all are started again, at most ``config.max_restarts`` times, and go on from the
    checkpoint. A SIGTERM is handed on to them: they write a checkpoint and leave.

    Args:
        config: What is trained.
        monitor: Told what the first process tells.
        **places: The folders of `pretrain`.

    Raises:
        ConfigError: If there are fewer GPUs than processes.
        SslflowError: What a process raised on purpose, as it was; or that they died more often than allowed.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    gpus = torch.cuda.device_count()
    if config.device != "cpu" and 0 < gpus < config.num_processes:
        raise ConfigError(f"pretrain.num_processes is {config.num_processes}, but there are {gpus} GPUs here")
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // config.num_processes)))
    agent = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=config.num_processes,
        run_id=uuid.uuid4().hex,
        # On one machine nobody has to be found. The dynamic rendezvous takes a machine that is too busy to
        # send its heartbeat for dead, and then a restart waits ten minutes for it to join.
        rdzv_backend="static",
        rdzv_endpoint=f"127.0.0.1:{_free_port()}",
        rdzv_configs={"rank": 0},
        max_restarts=config.max_restarts,
        monitor_interval=0.2,
        start_method="spawn",
    )
    with _hearing(monitor) as (address, key), _own_signal_handlers():
        try:
            outcomes = elastic_launch(agent, _child)(config, places, address, key)
        except ChildFailedError as error:
            raise SslflowError(
                f"a training process died {config.max_restarts + 1} times: "
                f"{str(error.get_first_failure()[1].message).splitlines()[0]}"
            ) from None
        except Exception as error:
            if type(error).__name__ != "SignalException":
                raise
            raise TrainingInterrupted(f"{error}; the same command goes on from the last checkpoint") from None
    outcome = outcomes[0]
    if isinstance(outcome, SslflowError):
        raise outcome
    report: PretrainReport = outcome
    return report


class _Remote(logging.Handler):
    """In a training process: a monitor and a log that are heard in the process that launched it.

    A connection of its own, and not a shared queue: a process that is killed may leave a queue locked.
    """

    def __init__(self, address: str, key: bytes) -> None:
        super().__init__()
        self._connection = Client(address, authkey=key)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a line of the log."""
        self._send("log", (record.name, record.levelno, record.getMessage()), {})

    def progress(self, done: int, total: int | None, unit: str, **figures: float) -> None:
        """Send the progress."""
        self._send("progress", (done, total, unit), figures)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Send metrics."""
        self._send("metrics", (step, dict(values)), {})

    def _send(self, *message: Any) -> None:
        with contextlib.suppress(OSError):  # the launcher is gone, and so are we in a moment
            self._connection.send(message)


def _child(
    config: PretrainConfig, places: dict[str, Any], address: str, key: bytes
) -> "PretrainReport | SslflowError":
    """Train in one of the processes; what is raised on purpose is returned, so that nobody tries it again."""
    from sslcore.training.pretrain import pretrain
    from sslcore.training.processes import ATTEMPT

    first = os.environ["RANK"] == "0"
    os.environ[ATTEMPT] = os.environ["TORCHELASTIC_RESTART_COUNT"]
    remote = _Remote(address, key)
    logging.getLogger().setLevel(logging.INFO if first else logging.ERROR)
    logging.getLogger().addHandler(remote)
    try:
        return pretrain(config, monitor=remote if first else SILENT, **places)
    except SslflowError as error:
        return error


@contextmanager
def _hearing(monitor: Monitor) -> Iterator[tuple[str, bytes]]:
    """Hear what processes send to the address given, with the key given, and hand it on."""
    key = os.urandom(16)
    folder = Path(tempfile.mkdtemp(prefix="sslflow-"))

    def hear(connection: "Connection[Any, Any]") -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                name, arguments, figures = connection.recv()
                if name == "log":
                    logger, level, text = arguments
                    logging.getLogger(logger).log(level, "%s", text)
                else:
                    getattr(monitor, name)(*arguments, **figures)

    def accept() -> None:
        with contextlib.suppress(OSError):  # closed: it is over
            while True:
                hearers.append(threading.Thread(target=hear, args=(listener.accept(),), daemon=True))
                hearers[-1].start()

    hearers: list[threading.Thread] = []
    listener = Listener(str(folder / "messages"), authkey=key)
    threading.Thread(target=accept, daemon=True).start()
    try:
        yield str(listener.address), key
    finally:
        for each in hearers:  # their processes have ended, so they read to the end
            each.join(timeout=10)
        listener.close()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Put signal handlers back: the agent sets its own and leaves them."""
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _SIGNALS} if main else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
