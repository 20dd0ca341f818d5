"""A stage ends when its launcher is gone."""

import os
import subprocess
import sys
import time

from tasks.lifeline import LAUNCHER_PID

STAGE = """
import time
from tasks.lifeline import watch_launcher
watch_launcher(0.05)
print("on", flush=True)
time.sleep(60)
"""


def test_a_process_terminates_itself_when_its_launcher_dies() -> None:
    launcher = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    environment = {**os.environ, LAUNCHER_PID: str(launcher.pid)}
    stage = subprocess.Popen(
        [sys.executable, "-c", STAGE], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert stage.stdout is not None
    assert stage.stdout.readline() == "on\n"
    time.sleep(0.3)
    assert stage.poll() is None
    launcher.kill()
    launcher.wait()
    assert stage.wait(timeout=10) != 0
    stage.stdout.close()


def test_without_a_launcher_nothing_is_watched() -> None:
    code = "import threading, tasks.lifeline as l; l.watch_launcher(); print(threading.active_count())"
    environment = {name: value for name, value in os.environ.items() if name != LAUNCHER_PID}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
