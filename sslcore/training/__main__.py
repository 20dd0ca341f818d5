r"""Pretraining without a workspace, for torchrun on one machine or many.

Example:
  torchrun --nproc-per-node 8 -m sslcore.training params.yaml --dataset data/dataset --output backbone \\
      --checkpoints checkpoints --set pretrain.epochs=200
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sslcore.config import read_params
from sslcore.errors import SslflowError, TrainingInterrupted, UserError
from sslcore.training.pretrain import pretrain

__all__ = ["main"]

log = logging.getLogger("sslcore.training")


def main(words: Sequence[str] | None = None) -> int:
    """Run; 0 done, 2 the user's mistake, 75 stopped and can be gone on with, 1 our failure."""
    parser = argparse.ArgumentParser(
        prog="python -m sslcore.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("params", type=Path, help="a params.yaml; its section pretrain is used")
    parser.add_argument("--dataset", type=Path, required=True, help="the folder that ingest wrote")
    parser.add_argument("--output", type=Path, required=True, help="a new or empty folder for the backbone")
    parser.add_argument(
        "--checkpoints", type=Path, help="a folder to go on from after a stop; yours to remove"
    )
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="overrides")
    given = parser.parse_args(words)
    first = os.environ.get("RANK", "0") == "0"
    level = logging.INFO if first else logging.ERROR
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    try:
        if first:
            _make_output(given.output)
        config = read_params(given.params, given.overrides).pretrain
        report = pretrain(config, dataset=given.dataset, output=given.output, checkpoints=given.checkpoints)
        log.info("%s", report.summary)
    except UserError as error:
        log.error("error: %s", error)
        return 2
    except TrainingInterrupted as error:
        log.error("interrupted: %s", error)
        return os.EX_TEMPFAIL
    except SslflowError as error:
        log.error("failed: %s", error)
        return 1
    return 0


def _make_output(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise UserError(f"{folder} is not empty: name a new folder for the backbone")


if __name__ == "__main__":
    sys.exit(main())
