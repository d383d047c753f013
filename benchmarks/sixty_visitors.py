"""Sixty visitors of a classroom's server for ten minutes, on the machine that serves them: what they wait, what the server holds.

    python benchmarks/sixty_visitors.py [--visitors 60] [--minutes 10] [--json docs/classroom.json] [--write-docs]

Starts `genlab serve --classroom` in a folder of its own. The visitors (`visitor.py`) speak Streamlit's protocol over real websockets,
without browsers, which would need more than the two cores that the server has, and which visitors bring along. They arrive within half a
minute, fetch what a browser fetches, go from page to page, press and choose what is there, and think in between; some begin a training,
which waits in the queue. Prints and writes

    clicks, pages    seconds from a click to the last message of what it changed, and from the choice of a page to all of it
    memory           the server's resident memory over time, and its slope in the second half
    errors           faults, exceptions, lost connections, answers that never came, tracebacks in the server's log

`--write-docs` writes the table in docs/classroom.md from the file of `--json` (default: docs/classroom.json); with `--minutes 0` it does
only that. Needs Linux and websockets. Fails if there was an error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from visitor import Diary, visit

ROOT = Path(__file__).parent.parent
DOCUMENT, FIGURES = ROOT / "docs" / "classroom.md", ROOT / "docs" / "classroom.json"
BEGIN, END = "<!-- sixty visitors -->", "<!-- /sixty visitors -->"
SECONDS_TO_START = 120.0


def main() -> int:
    """Measure, print, and write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=60, help="how many (default: 60)")
    parser.add_argument("--minutes", type=float, default=10, help="that they stay (default: 10)")
    parser.add_argument("--think", type=float, default=6, help="mean seconds between two things that a visitor does (default: 6)")
    parser.add_argument("--patience", type=float, default=60, help="seconds that a visitor waits for an answer (default: 60)")
    parser.add_argument("--trainings", type=int, default=4, help="visitors who begin a training of a minute (default: 4)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--write-docs", action="store_true", help="write the table in docs/classroom.md")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    if arguments.minutes > 0:
        figures = measure(arguments.visitors, 60 * arguments.minutes, arguments.think, arguments.patience, arguments.trainings)
        print(table(figures))
        print("\n".join(f"{count} × {sentence}" for sentence, count in figures["errors"].items()))
        if arguments.json:
            arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if arguments.write_docs:
        write_docs(json.loads((arguments.json or FIGURES).read_text(encoding="utf-8")), DOCUMENT)
    return 1 if figures.get("errors") else 0


def measure(visitors: int, seconds: float, think: float, patience: float, trainings: int) -> dict[str, Any]:
    """All figures of one such lesson."""
    diary, memory = Diary(), list[tuple[float, float]]()
    with tempfile.TemporaryDirectory() as folder, classroom(Path(folder)) as (url, process):
        begun, used, own = time.monotonic(), processor_seconds(process.pid), time.process_time()
        at_rest = resident_megabytes(process.pid)
        asyncio.run(
            visit(
                url,
                visitors,
                seconds,
                diary,
                think=think,
                patience=patience,
                trainings=trainings,
                watch=lambda: memory.append((time.monotonic() - begun, resident_megabytes(process.pid))),
            )
        )
        lasted = time.monotonic() - begun
        shares = {"server": (processor_seconds(process.pid) - used) / lasted, "visitors": (time.process_time() - own) / lasted}
        ended = end(process, patience)
        log = (Path(folder) / "server.txt").read_text(encoding="utf-8", errors="replace")
    errors = count(diary.errors + re.findall(r"^\w*(?:Error|Exception)\b.*$", log, re.MULTILINE) + ended)
    half = [point for point in memory if point[0] > lasted / 2]
    return {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "command": f"python benchmarks/sixty_visitors.py --visitors {visitors} --minutes {seconds / 60:g} --think {think:g}",
        "visitors": visitors,
        "minutes": round(lasted / 60, 2),
        "think_seconds": think,
        "errors": errors,
        "refusals": diary.refusals,
        "arrivals": spread(diary.arrivals),
        "pages": spread([took for took, _ in diary.pages]),
        "clicks": spread([took for took, _, _ in diary.clicks]),
        "clicks_by_page": by_page([(took, page) for took, page, _ in diary.clicks]),
        "slowest_clicks": [f"{took:.2f} s: {page}, {label}" for took, page, label in sorted(diary.clicks, reverse=True)[:12]],
        "pages_by_page": by_page(diary.pages),
        "ticks": diary.ticks,
        "trainings": diary.trainings,
        "received_megabytes": round(diary.received / 2**20, 1),
        "cores_busy": {name: round(share, 2) for name, share in shares.items()},
        "memory_megabytes": {
            "at_rest": round(at_rest, 1),
            "highest": round(max(held for _, held in memory), 1),
            "at_the_end": round(memory[-1][1], 1),
            "slope_of_second_half_per_minute": round(60 * slope(half), 2),
        },
        "memory_over_time": [[round(second), round(held, 1)] for second, held in memory],
    }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """How many, and in milliseconds the median, the 95th percentile and the longest."""
    if len(seconds) < 2:
        return {"count": len(seconds)} | ({"longest": round(1000 * seconds[0])} if seconds else {})
    last = statistics.quantiles(seconds, n=20, method="inclusive")[-1]
    numbers = {"median": statistics.median(seconds), "percentile_95": last, "longest": max(seconds)}
    return {"count": len(seconds)} | {name: round(1000 * value) for name, value in numbers.items()}


def by_page(times: Sequence[tuple[float, str]]) -> dict[str, dict[str, float]]:
    """The same for each page by itself."""
    return {page: spread([took for took, where in times if where == page]) for page in sorted({where for _, where in times})}


def count(sentences: Sequence[str]) -> dict[str, int]:
    """Each sentence once, with how often it was said."""
    return {sentence: sentences.count(sentence) for sentence in dict.fromkeys(sentences)}


def slope(points: Sequence[tuple[float, float]]) -> float:
    """By least squares; 0 of fewer than two points."""
    if len(points) < 2:
        return 0.0
    return statistics.linear_regression([second for second, _ in points], [held for _, held in points]).slope


def table(figures: dict[str, Any]) -> str:
    """The figures as the document shows them."""
    memory, rows = figures["memory_megabytes"], []
    for name, words in (("clicks", "a click"), ("pages", "another page"), ("arrivals", "the first page")):
        each = figures[name]
        if "median" in each:
            rows.append(f"| {words} | {each['count']:,} | {each['median']:,} ms | {each['percentile_95']:,} ms | {each['longest']:,} ms |")
    return "\n".join(
        [
            f"{figures['visitors']} visitors for {figures['minutes']:g} minutes on {figures['machine']}, {figures['taken'][:10]}; each "
            f"does something every {figures['think_seconds']:g} seconds on average; {figures['trainings']} trainings were begun meanwhile. "
            f"The visitors run on the same cores and kept {figures['cores_busy']['visitors']:.2f} of them busy, the server "
            f"{figures['cores_busy']['server']:.2f}.",
            "",
            "| from the click to the last message | how many | median | 95th percentile | longest |",
            "| --- | ---: | ---: | ---: | ---: |",
            *rows,
            "",
            f"Errors: {sum(figures['errors'].values())}. The server's memory: {memory['at_rest']:,.0f} MB before the first visitor, "
            f"{memory['highest']:,.0f} MB at most, {memory['at_the_end']:,.0f} MB at the end; in the second half it changed by "
            f"{memory['slope_of_second_half_per_minute']:+.1f} MB a minute.",
            "",
            f"`{figures['command']}`",
        ]
    )


def write_docs(figures: dict[str, Any], document: Path) -> None:
    """Put the table between its marks."""
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n{table(figures)}\n{END}{after}", encoding="utf-8")


# --- the server ------------------------------------------------------------------------------------------------------------------


@contextmanager
def classroom(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`genlab serve --classroom` with runs of its own, up and answering: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "genlab", "serve", "--classroom", "--address", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "GENLAB_RUNS_DIR": str(folder / "runs")}
    with (folder / "server.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not answers(f"{url}/_stcore/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the server did not start:\n{(folder / 'server.txt').read_text()}")
            time.sleep(0.1)
        yield url, process
    finally:
        stop_trainings(folder / "runs")
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    """Whether there is somebody at that address."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def end(process: subprocess.Popen[bytes], patience: float) -> list[str]:
    """End the server as its owner would; what is wrong with how it ended."""
    process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        return [f"the server did not end within {patience:g} s of SIGTERM"]
    return [] if code == 0 else [f"the server ended with code {code}"]


def stop_trainings(runs: Path) -> None:
    """Trainings outlive their server; these shall not."""
    os.environ["GENLAB_RUNS_DIR"] = str(runs)
    from genlab import jobs

    for job in jobs.list_jobs():
        if job.is_active and job.pid:
            with suppress(ProcessLookupError):
                os.kill(job.pid, signal.SIGKILL)


def resident_megabytes(pid: int) -> float:
    """Of the server alone; trainings are processes of their own."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def processor_seconds(pid: int) -> float:
    """What the process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processor() -> str:
    """Its name, as the kernel has it."""
    with suppress(OSError):
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
        if found:
            return found[1]
    return platform.processor() or "a processor without a name"


if __name__ == "__main__":
    raise SystemExit(main())
