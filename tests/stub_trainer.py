"""Stands in for ``genlab train`` in the tests of jobs: keeps the run folder's protocol (lock, config, records, signals), computes nothing.

Takes the same arguments. ``epochs=1`` among them makes it finish after a few steps; otherwise it ends when it is told to.
"""

from __future__ import annotations

import argparse
import signal
import time
from pathlib import Path

from genlab.runs import Run, is_run, take_learning_rate, write_config

STEP_SECONDS = 0.01
STOPS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", default="pixelcnn")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--set", nargs="*", default=[])
    train(parser.parse_args())


def train(arguments: argparse.Namespace) -> None:
    run = Run(arguments.out)
    run.path.mkdir(parents=True, exist_ok=True)
    received: list[str] = []
    for number in STOPS:  # from here on a stop waits to be asked for, as in a step of a real training
        signal.signal(number, lambda number, _: received.append(signal.Signals(number).name))
    with run.lock():
        if not is_run(run.path):
            write_config(run, config(arguments))
        records = run.metrics()
        step = records[-1]["step"] if records else 0
        append(run, step, "event", event="resumed" if records else "started", message=f"at step {step}", time=time.time())
        rate, end = 4e-3, step + 3 if "epochs=1" in arguments.set else None
        while not received and step != end:
            time.sleep(STEP_SECONDS)
            step += 1
            rate = take_learning_rate(run) or rate
            append(run, step, "train", seconds=step * STEP_SECONDS, values={"loss": 1.0}, learning_rate=rate, images_per_second=1.0)
        message = f"stopped by {received[0]} at step {step}" if received else "finished 1 epoch"
        append(run, step, "event", event="stopped" if received else "finished", message=message, time=time.time())


def append(run: Run, step: int, kind: str, **values: object) -> None:
    run.append_metrics({"kind": kind, "step": step, "epoch": 1, **values})


def config(arguments: argparse.Namespace) -> dict[str, object]:
    settings = {"image_shape": [1, 8, 8], "levels": 2, "channels": 2, "blocks": 1}
    return {
        "model": {"name": arguments.model, "settings": settings},
        "data": {"name": arguments.data, "record": {"name": arguments.data, "sha256": ""}},
        "training": {},
        "seed": 0,
        "versions": {},
        "report": {"key": "nats", "kind": "exact", "words": "nats an image", "lower_is_better": True},
        "abilities": ["causal", "likelihood"],
        "domain": {"shape": [1, 8, 8], "levels": 2},
    }


if __name__ == "__main__":
    main()
