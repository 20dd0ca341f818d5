"""Videos without ingesting them: how long the index takes, what memory, and frames a second beside bare PyAV.

    python benchmarks/video.py --work /tmp/video --json video.json

Makes 100 videos of 300 frames, 320 x 240, H.264 with B-frames (about 0.4 MB each) under ``--work``. The index
is what lightly's VideoDataset decodes all timestamps for (its users tell of 11 minutes and 19 GB for 115
videos). Rates are frames a second of processor time, so that other work on the machine does not count.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import numpy as np


def make_videos(folder: Path, num_videos: int) -> None:
    """Write videos of moving squares."""
    folder.mkdir(parents=True)
    for number in range(num_videos):
        with av.open(str(folder / f"{number:03d}.mp4"), "w") as container:
            stream: Any = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "bf": "2"})
            stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", 60
            background = np.random.default_rng(number).integers(0, 255, (15, 20, 3), dtype=np.uint8)
            picture = np.kron(background, np.ones((16, 16, 1), dtype=np.uint8))
            for step in range(300):
                shifted = np.ascontiguousarray(np.roll(picture, 2 * step, axis=1))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(shifted, format="rgb24")))
            container.mux(stream.encode())


def index(work: Path) -> dict[str, float]:
    """Open a dataset over the videos, the first time and again."""
    from sslcore.data.media_dataset import MediaDataset

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(2):
        started = time.perf_counter()
        dataset = MediaDataset(work / "videos", frames="all", cache=work / "cache")
        times.append(time.perf_counter() - started)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"frames": len(dataset), "first": times[0], "again": times[1], "memory_mib": grown}


def rates(paths: list[Path]) -> tuple[float, float, float]:
    """Return frames a second of processor time: bare PyAV to RGB, ours in order, ours at random."""
    from sslcore.data.frame_index import index_video
    from sslcore.data.frame_reader import FrameReader

    best = [0.0, 0.0, 0.0]
    for _ in range(3):
        for way in range(3):
            started, seen = time.process_time(), 0
            for path in paths:
                if way == 0:
                    with av.open(str(path)) as container:
                        container.streams.video[0].thread_type = "NONE"
                        seen += sum(
                            len(frame.to_ndarray(format="rgb24")) > 0 for frame in container.decode(video=0)
                        )
                    continue
                reader = FrameReader(path, index_video(path))
                order = range(300) if way == 1 else np.random.default_rng(0).permutation(300)[:60].tolist()
                seen += sum(len(reader.frame(number)) > 0 for number in order)
                reader.close()
            best[way] = max(best[way], seen / (time.process_time() - started))
    return best[0], best[1], best[2]


def main() -> None:
    """Parse the command line; print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--index", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.index:
        print(json.dumps(index(arguments.work)))
        return
    if not (arguments.work / "videos").exists():
        make_videos(arguments.work / "videos", arguments.videos)
    command = [sys.executable, __file__, "--work", str(arguments.work), "--index"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(output.splitlines()[-1])
    print(
        f"{arguments.videos} videos, {found['frames']:,.0f} frames: indexed in {found['first']:.2f} s, "
        f"{found['again']:.2f} s from the cache, {found['memory_mib']:.0f} MiB"
    )
    bare, in_order, at_random = rates(sorted((arguments.work / "videos").iterdir())[:5])
    print(f"frames a second: bare PyAV {bare:,.0f}, in order {in_order:,.0f} ({in_order / bare:.2f} of it)")
    print(f"at random, keyframes every 60: {at_random:,.0f} ({at_random / bare:.2f} of it)")
    lines = [
        {
            "name": f"frames of a video {name}",
            "ours": round(ours, 1),
            "peer": round(bare, 1),
            "peer_name": "PyAV, decoded in order to RGB",
            "ratio": round(ours / bare, 3),
            "unit": "frames/s of processor time",
            "note": f"{arguments.videos} videos indexed in {found['first']:.2f} s, {found['memory_mib']:.0f} MiB",
        }
        for name, ours in (("in order", in_order), ("at random", at_random))
    ]
    if arguments.json:
        arguments.json.write_text(json.dumps(lines, indent=2) + "\n")


if __name__ == "__main__":
    main()
