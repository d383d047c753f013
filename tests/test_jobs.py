"""Background training with real processes: a stub that keeps the run folder's protocol, or `genlab train` where it says `really`."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from safetensors.torch import load_file

from genlab import jobs
from genlab.errors import GenlabError, InputError
from genlab.jobs import Demand, Job, JobError, Limits
from genlab.jobs.processes import Detached
from genlab.runs import read_header, save_tensors
from tests.rights import mode
from tests.waiting import wait_until

STUB = str(Path(__file__).with_name("stub_trainer.py"))
TRAINING_COMMAND = jobs.queue.training_command
TINY = ("--set", "channels=2", "blocks=1", "sample_seconds=1000", "log_seconds=0.1", "checkpoint_seconds=0.2")
ENDLESS = (*TINY, "minutes=30")
SHORT = (*TINY, "epochs=1")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setattr(jobs.queue, "NICENESS", 0)  # what runs beside the tests would otherwise starve them
    monkeypatch.setattr(jobs.queue, "training_command", lambda arguments: [sys.executable, STUB, *arguments])
    yield tmp_path / "runs"
    for job in jobs.list_jobs():
        if job.pid:
            os.kill(job.pid, signal.SIGKILL)
            ended(job)


@pytest.fixture
def really(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs of this test are real trainings on real digits."""
    monkeypatch.setattr(jobs.queue, "training_command", TRAINING_COMMAND)


def ended(job: Job) -> Job:
    return wait_until(lambda: None if (now := jobs.get(job.name)).is_active else now)


def trained(job: Job, beyond: int = 0) -> Job:
    """The job, once it has recorded a step beyond that one."""
    wait_until(lambda: any(record["step"] > beyond for record in job.run.metrics("train")) or not jobs.get(job.name).is_active)
    return jobs.get(job.name)


def events(job: Job) -> list[str]:
    return [record["event"] for record in job.run.metrics("event")]


def last_step(job: Job) -> int:
    return int(job.run.metrics()[-1]["step"])


@pytest.mark.usefixtures("really")
def test_stop_and_resume_keep_the_whole_curve() -> None:
    job = jobs.start("pixelcnn", "digits", ENDLESS)
    assert job.state in {"starting", "running"}
    job = trained(job)
    assert job.state == "running"
    assert job.pid is not None
    assert os.getsid(job.pid) == job.pid  # it has left the server's session: Ctrl-C there doesn't reach it

    jobs.change_learning_rate(job.name, 1e-4)
    wait_until(lambda: job.run.metrics("train")[-1]["learning_rate"] == 1e-4)
    assert job.run.config["training"]["learning_rates"][-1][1] == 1e-4
    assert jobs.stop(job.name).state in {"stopping", "stopped"}
    stopped = ended(job)
    assert (stopped.state, stopped.pid) == ("stopped", None)
    assert re.fullmatch(r"stopped at step \d+ on request", stopped.message)
    step = last_step(job)

    resumed = trained(jobs.resume(job.name), beyond=step)
    assert resumed.state == "running"
    assert resumed.pid != job.pid
    assert jobs.resume(job.name).pid == resumed.pid  # asked again, nothing happens
    jobs.stop(job.name)
    assert ended(job).state == "stopped"
    assert events(job) == ["started", "learning_rate", "stopped", "resumed", "stopped"]
    steps = [record["step"] for record in job.run.metrics()]
    assert steps == sorted(steps)


def test_a_killed_training_is_lost_and_can_be_resumed() -> None:
    job = trained(jobs.start("pixelcnn", "digits", ENDLESS))
    assert job.pid is not None
    os.kill(job.pid, signal.SIGKILL)
    lost = ended(job)
    assert lost.state == "lost"
    assert "killed" in lost.message
    wait_until(lambda: not Path(f"/proc/{job.pid}").exists())  # collected, no zombie
    assert trained(jobs.resume(job.name), beyond=last_step(job)).state == "running"
    assert events(job) == ["started", "resumed"]


def test_a_training_that_does_not_stop_is_killed() -> None:
    job = trained(jobs.start("pixelcnn", "digits", ENDLESS))
    assert job.pid is not None
    os.kill(job.pid, signal.SIGSTOP)  # a stopped process does not answer SIGTERM
    assert jobs.stop(job.name, grace=0.1).state == "stopping"
    assert ended(job).state == "lost"


def test_a_finished_run_is_neither_stopped_nor_resumed() -> None:
    job = ended(jobs.start("pixelcnn", "digits", SHORT))
    assert job.state == "finished"
    assert jobs.stop(job.name) == job
    with pytest.raises(JobError, match="cannot be resumed: it is finished"):
        jobs.resume(job.name)


def test_a_reused_process_id_deceives_nobody(folder: Path) -> None:
    job = ended(jobs.start("pixelcnn", "digits", SHORT))
    database = sqlite3.connect(folder / ".jobs" / "jobs.sqlite", isolation_level=None)
    database.execute("UPDATE jobs SET pid = ?", (os.getpid(),))
    database.close()
    assert jobs.get(job.name) == job
    assert jobs.stop(job.name) == job  # and this very process was not sent a signal


def test_a_double_click_is_one_job(folder: Path) -> None:
    with ThreadPoolExecutor(4) as clicks:
        started = list(clicks.map(lambda _: jobs.start("pixelcnn", "digits", ENDLESS, key="click"), range(4)))
    assert len({(job.name, job.pid) for job in started}) == 1
    assert [job.name for job in jobs.list_jobs()] == [started[0].name]
    assert len([path for path in folder.iterdir() if path.name != ".jobs"]) == 1


def test_a_second_training_waits_for_the_slot_and_then_begins_by_itself() -> None:
    first = trained(jobs.start("pixelcnn", "digits", ENDLESS))
    waiting = [jobs.start("pixelcnn", "digits", SHORT, key=str(number)) for number in range(2)]
    assert [(job.state, job.place) for job in waiting] == [("queued", 1), ("queued", 2)]
    assert jobs.get(first.name).state == "running"
    os.kill(first.pid or 0, signal.SIGKILL)  # a dead process takes its slot along
    assert [ended(job).state for job in waiting] == ["finished", "finished"]
    begun = [job.run.metrics("event")[0]["time"] for job in waiting]
    assert begun == sorted(begun)
    assert waiting[0].run.metrics("event")[-1]["time"] <= begun[1]  # never both at once


def test_the_queue_says_how_long_by_the_budgets_of_those_before() -> None:
    budgets = (30, 2, 1.5, None, 1)
    started = [jobs.start("pixelcnn", "digits", ENDLESS, key=str(key), demand=Demand(minutes=each)) for key, each in enumerate(budgets)]
    first = trained(started[0])
    said = [jobs.get(job.name).message for job in started[1:]]
    # What is left of the 30 minutes, and then 2 and 1.5 more, each with the seconds around a training.
    assert said[0] in ("number 1 in the queue; its turn comes within 30 minutes", "number 1 in the queue; its turn comes within 31 minutes")
    assert said[1] in ("number 2 in the queue; its turn comes within 32 minutes", "number 2 in the queue; its turn comes within 33 minutes")
    assert said[2] in ("number 3 in the queue; its turn comes within 34 minutes", "number 3 in the queue; its turn comes within 35 minutes")
    assert said[3] == "number 4 in the queue, behind one without a budget of time"
    os.kill(first.pid or 0, signal.SIGKILL)
    wait_until(lambda: jobs.get(started[1].name).state == "running")
    assert "its turn comes within 3 minutes" in jobs.get(started[2].name).message


def test_one_that_waits_leaves_the_queue_when_it_is_stopped_and_can_come_back() -> None:
    first = trained(jobs.start("pixelcnn", "digits", ENDLESS))
    second, third = (jobs.start("pixelcnn", "digits", SHORT, key=key) for key in "ab")
    jobs.stop(second.name)
    assert (ended(second).state, jobs.get(second.name).message) == ("stopped", "stopped before the first step")
    assert jobs.get(third.name).place == 1
    assert jobs.resume(second.name).place == 2  # at the end of the queue
    jobs.stop(first.name)
    assert [ended(job).state for job in (second, third)] == ["finished", "finished"]
    assert third.run.metrics("event")[-1]["time"] <= second.run.metrics("event")[0]["time"]


def test_one_that_is_killed_while_it_waits_is_lost_and_can_be_resumed() -> None:
    first = trained(jobs.start("pixelcnn", "digits", ENDLESS))
    second = jobs.start("pixelcnn", "digits", SHORT)
    os.kill(second.pid or 0, signal.SIGKILL)
    assert ended(second).state == "lost"
    assert jobs.resume(second.name).state == "queued"
    os.kill(first.pid or 0, signal.SIGKILL)
    assert ended(second).state == "finished"


def test_a_process_that_nobody_entered_into_the_database_does_not_wait_for_ever(folder: Path) -> None:
    code = "from genlab.jobs import __main__, queue; queue._ORPHAN_SECONDS = 0.1; __main__.main('work', 'nobody', '0')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (1, "genlab: error: job nobody was never entered into the database")


def test_a_job_survives_the_process_that_started_it() -> None:
    code = textwrap.dedent(f"""
        import sys
        from genlab import jobs
        jobs.queue.training_command = lambda arguments: [sys.executable, {STUB!r}, *arguments]
        print(jobs.start('pixelcnn', 'digits', {ENDLESS!r}).name)
    """)
    name = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    job = trained(jobs.get(name))
    assert job.state == "running"
    assert jobs.stop(name).state in {"stopping", "stopped"}
    assert ended(job).state == "stopped"


@pytest.mark.usefixtures("really")
def test_bad_settings_fail_with_the_sentence_of_the_command_line() -> None:
    job = ended(jobs.start("pixelcnn", "nodigits", SHORT))
    assert job.state == "failed"
    assert job.message.startswith("genlab: error: ")
    assert "nodigits" in job.message


@pytest.mark.usefixtures("really")
def test_weights_that_are_not_finite_fail_with_their_name() -> None:
    job = trained(jobs.start("pixelcnn", "digits", ENDLESS))
    jobs.stop(job.name)
    ended(job)
    tensors, header = load_file(job.run.checkpoint_path), read_header(job.run.checkpoint_path)
    tensors["model/nodes.head.weight"][0] = float("nan")
    save_tensors(job.run.checkpoint_path, tensors, header)
    jobs.resume(job.name)
    failed = ended(job)
    assert failed.state == "failed"
    assert "nodes.head.weight" in failed.message
    assert "not finite" in failed.message


def test_a_run_started_elsewhere_is_watched_and_stopped_too(folder: Path) -> None:
    folder.mkdir(parents=True)
    command = [sys.executable, STUB, "pixelcnn", "--data", "digits", *ENDLESS, "--out", str(folder / "mine")]
    with (folder / "output.txt").open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        job = wait_until(lambda: next((job for job in jobs.list_jobs() if job.name == "mine" and job.pid), None))
        assert job.pid == process.pid
        trained(job)
        jobs.stop("mine")
        assert process.wait() == 0
    assert jobs.get("mine").state == "stopped"


# Who may do what --------------------------------------------------------------------------------------------------------------


def test_another_visitors_job_is_watched_and_nothing_else() -> None:
    job = trained(jobs.start("pixelcnn", "digits", ENDLESS, visitor="anna"))
    assert (job.is_open_to("anna"), job.is_open_to("bert"), job.is_open_to(None)) == (True, False, True)
    assert jobs.get(job.name).state == "running"
    attempts = {
        "stop": lambda: jobs.stop(job.name, visitor="bert"),
        "resume": lambda: jobs.resume(job.name, visitor="bert"),
        "rename": lambda: jobs.rename(job.name, "mine", visitor="bert"),
        "delete": lambda: jobs.remove(job.name, visitor="bert"),
        "change": lambda: jobs.change_learning_rate(job.name, 1e-3, visitor="bert"),
    }
    for verb, attempt in attempts.items():
        with pytest.raises(JobError, match=f"belongs to another visitor: you can watch it, but not {verb} it"):
            attempt()
    assert jobs.get(job.name).state == "running"
    assert job.run.label == job.name
    jobs.stop(job.name, visitor="anna")
    assert ended(job).state == "stopped"
    jobs.remove(job.name, visitor="anna")
    assert (jobs.list_removed("anna"), jobs.list_removed("bert"), jobs.list_removed()) == ([job.name], [], [job.name])
    with pytest.raises(JobError, match="another visitor: you can watch it, but not restore it"):
        jobs.restore(job.name, visitor="bert")


def test_a_visitor_can_have_so_many_jobs_and_no_more(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(jobs.limits, "LIMITS", Limits(jobs=2))
    mine = [jobs.start("pixelcnn", "digits", ENDLESS, visitor="anna", key=key) for key in "ab"]
    with pytest.raises(JobError, match=f"2 trainings at work or in the queue; stop one of {mine[0].name}, {mine[1].name} or wait"):
        jobs.start("pixelcnn", "digits", ENDLESS, visitor="anna", key="c")
    assert jobs.start("pixelcnn", "digits", ENDLESS, visitor="anna", key="b").name == mine[1].name  # the same request again
    assert jobs.start("pixelcnn", "digits", ENDLESS, visitor="bert").state == "queued"
    assert len([path for path in folder.iterdir() if path.name != ".jobs"]) == 3


@pytest.mark.parametrize(
    ("demand", "sentence"),
    [
        (Demand(minutes=241), "minutes must be at most 240 for a visitor; this training asks for 241"),
        (Demand(steps=2_000_001), "steps must be at most 2,000,000 for a visitor; this training asks for 2,000,001"),
        (Demand(parameters=10_000_001), "parameters must be at most 10,000,000 for a visitor; this training asks for 10,000,001"),
    ],
)
def test_a_training_that_is_too_large_for_a_visitor_is_refused(demand: Demand, sentence: str) -> None:
    with pytest.raises(JobError, match=sentence):
        jobs.start("pixelcnn", "digits", ENDLESS, visitor="anna", demand=demand)
    assert jobs.list_names() == []


def test_the_disk_is_shared_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    job = ended(jobs.start("pixelcnn", "digits", SHORT, visitor="anna"))
    monkeypatch.setattr(jobs.limits, "LIMITS", Limits(disk=100))
    for name in (job.name, None):
        with pytest.raises(JobError, match="MB of disk, the limit is 0 MB; delete some"):
            jobs.start("pixelcnn", "digits", SHORT, visitor="anna")
        if name:
            jobs.remove(name)  # what can be brought back still takes its place
    assert jobs.start("pixelcnn", "digits", SHORT, visitor="bert").is_active
    monkeypatch.setattr(jobs.limits, "LIMITS", Limits(spare=2**62))
    with pytest.raises(JobError, match="the disk is nearly full"):
        jobs.start("pixelcnn", "digits", SHORT, visitor="carl")


# Delete, bring back, rename, change ---------------------------------------------------------------------------------------------


def test_a_new_run_never_takes_the_name_of_one_in_the_trash(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names tell the second: that of a run deleted within it would be free again."""
    names = iter(["deleted", "fresh"])

    def new_run_path(model: str, data: str) -> Path:
        path = folder / next(names)
        path.mkdir(parents=True)
        return path

    (jobs.records.trash_folder() / "deleted").mkdir(parents=True)
    monkeypatch.setattr(jobs.records, "new_run_path", new_run_path)
    assert jobs.records.new_folder("pixelcnn", "digits").name == "fresh"
    assert not (folder / "deleted").exists()


def test_delete_and_bring_back(folder: Path) -> None:
    job = ended(jobs.start("pixelcnn", "digits", SHORT))
    files = {path.relative_to(folder): path.read_bytes() for path in job.run.path.rglob("*") if path.is_file() and path.name != "lock"}
    jobs.remove(job.name)
    assert (jobs.list_names(), jobs.list_removed()) == ([], [job.name])
    with pytest.raises(JobError, match="run must be one of the runs in"):
        jobs.get(job.name)
    assert jobs.restore(job.name) == job
    assert {path: (folder / path).read_bytes() for path in files} == files
    assert jobs.list_removed() == []
    with pytest.raises(JobError, match="must be one of the deleted runs"):
        jobs.restore(job.name)
    with pytest.raises(JobError, match="must be one of the deleted runs"):
        jobs.restore("../../etc")


def test_what_was_deleted_long_ago_is_gone_for_good(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = (ended(jobs.start("pixelcnn", "digits", SHORT, key=key)) for key in "ab")
    jobs.remove(old.name)
    monkeypatch.setattr(jobs.trash, "_KEEP_REMOVED_SECONDS", -1.0)
    jobs.remove(new.name)
    assert jobs.list_removed() == []
    assert [path.name for path in (folder / ".jobs" / "trash").iterdir()] == []


def test_a_run_at_work_is_not_deleted() -> None:
    job = jobs.start("pixelcnn", "digits", ENDLESS)
    with pytest.raises(JobError, match=r"cannot be deleted: it is .*; stop it first"):
        jobs.remove(job.name)
    assert jobs.get(job.name).is_active


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "**bold** [x](http://y)", "../../etc/passwd", "a/b", "Grüße 数字"])
def test_a_label_is_text_and_never_a_path(label: str, folder: Path) -> None:
    job = ended(jobs.start("pixelcnn", "digits", SHORT))
    before = sorted(folder.rglob("*"))
    jobs.rename(job.name, f" {label}\n\u202e ")
    assert job.run.label == label
    assert sorted({*folder.rglob("*")} - {*before}) == [job.run.path / "label.txt"]
    jobs.rename(job.name, "")
    assert job.run.label == job.name


def test_a_label_of_any_length_is_refused_or_cut() -> None:
    job = ended(jobs.start("pixelcnn", "digits", SHORT))
    with pytest.raises(InputError, match="label must have at most 60 characters; got 61"):
        jobs.rename(job.name, "x" * 61)
    (job.run.path / "label.txt").write_bytes(b"\xff\xfe" + b"y" * 50_000)
    assert len(job.run.label) == 60
    (job.run.path / "label.txt").write_bytes(b"y" * 100_000)  # more than any label has
    assert job.run.label == job.name


def test_another_learning_rate_reaches_the_training() -> None:
    job = trained(jobs.start("pixelcnn", "digits", ENDLESS))
    jobs.change_learning_rate(job.name, 1e-4)
    wait_until(lambda: job.run.metrics("train")[-1]["learning_rate"] == 1e-4)
    for rate in (0.0, -1.0, float("nan"), 11.0):
        with pytest.raises(InputError, match="learning_rate"):
            jobs.change_learning_rate(job.name, rate)
    (job.run.path / "control.json").write_text('{"learning_rate": "<b>"')  # whatever lies there does no harm
    wait_until(lambda: not (job.run.path / "control.json").exists())
    assert jobs.get(job.name).state == "running"
    jobs.stop(job.name)
    assert ended(job).state == "stopped"
    with pytest.raises(JobError, match="no learning rate to change: it is stopped"):
        jobs.change_learning_rate(job.name, 1e-3)


# Faults ------------------------------------------------------------------------------------------------------------------------


def test_a_database_that_another_process_keeps_locked_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    job = ended(jobs.start("pixelcnn", "digits", SHORT))
    monkeypatch.setattr(jobs.records, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(folder / ".jobs" / "jobs.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JobError, match=r"is busy: another process has kept it locked for 0\.05 s\. Nothing was changed; try again"):
            jobs.start("pixelcnn", "digits", SHORT)
        assert jobs.list_jobs() == [job]  # who only reads is not held up
        other.execute("COMMIT")
    assert [path.name for path in folder.iterdir() if path.name != ".jobs"] == [job.name]


def test_one_that_waits_outlasts_a_locked_database(folder: Path) -> None:
    first = trained(jobs.start("pixelcnn", "digits", ENDLESS))
    second = jobs.start("pixelcnn", "digits", SHORT)
    with closing(sqlite3.connect(folder / ".jobs" / "jobs.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        os.kill(first.pid or 0, signal.SIGKILL)
        wait_until(lambda: not jobs.get(first.name).is_active)
        assert jobs.get(second.name).is_active
        other.execute("COMMIT")
    assert ended(second).state == "finished"


def test_a_full_disk_is_told_in_a_sentence_and_leaves_nothing_behind(folder: Path) -> None:
    """A real fault: the kernel refuses to let any file of this process grow, as a full disk would."""
    job = ended(jobs.start("pixelcnn", "digits", SHORT))
    code = textwrap.dedent("""
        import resource, signal
        from genlab import jobs
        from genlab.errors import GenlabError
        from genlab.runs import list_runs, write_label
        (run,) = list_runs()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        for attempt in (lambda: jobs.start("pixelcnn", "digits"), lambda: write_label(run, "x")):
            try:
                attempt()
            except GenlabError as error:
                print(error)
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    started, renamed = done.stdout.strip().splitlines()
    assert re.search("jobs.sqlite, could not be used: (disk I/O error|database or disk is full)", started)
    assert "label.txt could not be written: File too large; what was there before is kept" in renamed
    assert [path.name for path in folder.iterdir() if path.name != ".jobs"] == [job.name]
    assert jobs.list_jobs() == [job]


def test_a_process_that_dies_before_anybody_looks_is_seen_as_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with monkeypatch.context() as patched:
        patched.setattr(jobs.queue, "detach", lambda *_: Detached(process.pid, None))
        stillborn = jobs.start("pixelcnn", "digits", SHORT)
    assert (stillborn.state, stillborn.pid) == ("lost", None)
    assert ended(jobs.start("pixelcnn", "digits", SHORT)).state == "finished"  # nobody waits for it
    assert jobs.stop(stillborn.name).state == "lost"
    assert ended(jobs.resume(stillborn.name)).state == "finished"
    jobs.remove(stillborn.name)
    assert jobs.list_removed() == [stillborn.name]


def test_a_clock_that_is_set_back_decides_no_state(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time
    first = trained(jobs.start("pixelcnn", "digits", ENDLESS))
    second = jobs.start("pixelcnn", "digits", SHORT)
    monkeypatch.setattr(time, "time", lambda: now() - 3600)
    third = jobs.start("pixelcnn", "digits", SHORT)
    assert [jobs.get(job.name).place for job in (second, third)] == [1, 2]
    monkeypatch.setattr(time, "time", lambda: now() + 3600)
    jobs.stop(first.name)
    ended(first)
    resumed = jobs.resume(first.name)  # what it says from now on is, by its clock, an hour older than the request
    assert [ended(job).state for job in (second, third)] == ["finished", "finished"]
    assert trained(resumed, beyond=last_step(first)).state == "running"
    jobs.stop(first.name)
    assert ended(first).state == "stopped"


def test_what_an_earlier_process_said_is_not_taken_for_the_new_ones_word(monkeypatch: pytest.MonkeyPatch) -> None:
    job = trained(jobs.start("pixelcnn", "digits", ENDLESS))
    jobs.stop(job.name)
    assert ended(job).state == "stopped"
    monkeypatch.setattr(jobs.queue, "training_command", lambda _: [sys.executable, "-c", "raise SystemExit('no such thing')"])
    jobs.resume(job.name)
    assert (ended(job).state, jobs.get(job.name).message) == ("failed", "no such thing")


def test_a_run_that_was_stopped_here_and_resumed_in_a_terminal_runs(folder: Path) -> None:
    job = trained(jobs.start("pixelcnn", "digits", ENDLESS))
    jobs.stop(job.name)
    step = last_step(ended(job))
    with subprocess.Popen([sys.executable, STUB, "--resume", "--out", str(job.run.path)]) as process:
        assert trained(wait_until(lambda: jobs.get(job.name) if jobs.get(job.name).pid else None), beyond=step).state == "running"
        jobs.stop(job.name)
        assert process.wait() == 0
    assert jobs.get(job.name).state == "stopped"


def test_visitors_have_limits_together_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.limits, "LIMITS", Limits(jobs_in_all=2))
    started = [jobs.start("pixelcnn", "digits", SHORT, visitor=visitor) for visitor in ("anna", "bert")]
    with pytest.raises(JobError, match="all visitors together can have 2 trainings at work or in the queue; wait"):
        jobs.start("pixelcnn", "digits", SHORT, visitor="carl")
    assert [ended(job).state for job in [*started, jobs.start("pixelcnn", "digits", SHORT)]] == ["finished"] * 3
    monkeypatch.setattr(jobs.limits, "LIMITS", Limits(disk_in_all=100))
    with pytest.raises(JobError, match="the runs of all visitors take 0 MB of disk, the limit is 0 MB"):
        jobs.start("pixelcnn", "digits", SHORT, visitor="carl")


def test_one_damaged_run_does_not_hide_the_others(folder: Path) -> None:
    sound, torn, odd = (ended(jobs.start("pixelcnn", "digits", SHORT, key=key)) for key in "abc")
    (torn.run.path / "metrics.jsonl").write_text('{"kind": "event"\n' * 3)
    (odd.run.path / "metrics.jsonl").unlink()
    (odd.run.path / "metrics.jsonl").mkdir()
    found = {job.name: job for job in jobs.list_jobs()}
    assert found[sound.name] == sound
    assert [found[job.name].state for job in (torn, odd)] == ["failed", "failed"]
    assert "metrics.jsonl is torn at line 1" in found[torn.name].message
    assert re.search("metrics.jsonl could not be read: it is no regular file", found[odd.name].message)
    for job in (torn, odd):
        jobs.remove(job.name)
    assert jobs.list_names() == [sound.name]


def test_a_run_that_was_deleted_by_hand_is_gone_here_too(folder: Path) -> None:
    job = ended(jobs.start("pixelcnn", "digits", SHORT))
    shutil.rmtree(job.run.path)
    with pytest.raises(JobError, match="run must be one of the runs in"):
        jobs.get(job.name)
    assert jobs.list_jobs() == []


@pytest.mark.parametrize("verb", ["list_names", "list_jobs", "start", "get", "resume", "remove", "restore", "rename"])
@pytest.mark.parametrize("what", ["runs", "runs/.jobs", "runs/.jobs/jobs.sqlite", "run"])
@pytest.mark.parametrize("bits", [0o000, 0o500])
def test_missing_rights_are_a_sentence(one: Path, monkeypatch: pytest.MonkeyPatch, verb: str, what: str, bits: int) -> None:
    """Whatever may not be read or written: a job as it was, or one of our own errors, which names the file."""
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(one / "runs"))
    monkeypatch.setattr(jobs.queue, "detach", lambda *_: Detached(2**22, None))
    name = next(path.name for path in (one / "runs").iterdir() if path.name != ".jobs")
    arguments = {"list_names": (), "list_jobs": (), "start": ("pixelcnn", "digits"), "rename": (name, "x")}.get(verb, (name,))
    with mode(one / ("runs/" + name if what == "run" else what), bits), suppress(GenlabError):
        getattr(jobs, verb)(*arguments)


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one run that nobody works on."""
    monkeypatch.setattr(jobs.queue, "detach", lambda *_: Detached(2**22, None))
    jobs.start("pixelcnn", "digits", SHORT)
    return tmp_path


def test_a_database_of_a_newer_genlab_is_refused_and_left_alone(folder: Path) -> None:
    (folder / ".jobs").mkdir(parents=True)
    newer = jobs.records.VERSION + 1
    with closing(sqlite3.connect(folder / ".jobs" / "jobs.sqlite")) as database:
        database.execute(f"PRAGMA user_version = {newer}")
        before = (folder / ".jobs" / "jobs.sqlite").read_bytes()
        for ask in (jobs.list_jobs, lambda: jobs.start("pixelcnn", "digits")):
            with pytest.raises(
                JobError, match=rf"jobs\.sqlite, is of version {newer}, this genlab knows {newer - 1}: use the newer genlab here"
            ):
                ask()
    assert (folder / ".jobs" / "jobs.sqlite").read_bytes() == before
    (folder / ".jobs" / "jobs.sqlite").unlink()


def test_one_that_waits_ends_when_the_database_knows_it_no_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = jobs.records.Row("me", (), 0.0, 0.0, pid=os.getpid(), born="another")
    with jobs.records.transaction() as database:
        jobs.records.save(database, row)
    monkeypatch.setattr(jobs.queue, "_ORPHAN_SECONDS", 0.05)
    monkeypatch.setattr(jobs.queue, "_QUEUE_POLL_SECONDS", 0.01)
    monkeypatch.setattr(jobs.queue, "_take_slot", lambda _: shutil.rmtree(folder))
    with pytest.raises(SystemExit, match="job me is no longer in the database"):
        jobs.queue._wait_for_turn("me")


def test_a_table_of_an_older_genlab_gains_its_new_columns(folder: Path) -> None:
    (folder / ".jobs").mkdir(parents=True)
    with closing(sqlite3.connect(folder / ".jobs" / "jobs.sqlite", isolation_level=None)) as database:
        database.execute(
            "CREATE TABLE jobs (name TEXT PRIMARY KEY, key TEXT UNIQUE, arguments TEXT NOT NULL, pid INTEGER, born TEXT, "
            "created REAL NOT NULL, started REAL NOT NULL, stop_requested REAL)"
        )
        database.execute("INSERT INTO jobs VALUES ('old', NULL, '[]', NULL, NULL, 1, 1, NULL)")
    (folder / "old").mkdir()
    assert [(job.name, job.state) for job in jobs.list_jobs()] == [("old", "lost")]
    assert ended(jobs.start("pixelcnn", "digits", SHORT)).state == "finished"


def test_a_database_that_cannot_be_used_is_told_in_a_sentence(folder: Path) -> None:
    file = folder / ".jobs" / "jobs.sqlite"
    file.mkdir(parents=True)
    with pytest.raises(JobError, match=r"jobs\.sqlite, could not be used: unable to open"):
        jobs.list_names()
    file.rmdir()
    file.write_text("no database, but long enough to be taken for one " * 100)
    with pytest.raises(JobError, match="could not be used: file is not a database"):
        jobs.start("pixelcnn", "digits", SHORT)
    file.unlink()


@pytest.mark.parametrize("name", ["", "nothing", "../runs", ".jobs", "/", "a\0b"])
def test_a_name_that_is_no_run_is_refused(name: str) -> None:
    for ask in (jobs.get, jobs.stop, jobs.resume, jobs.remove, lambda name: jobs.rename(name, "x")):
        with pytest.raises(JobError, match="run must be one of the runs in"):
            ask(name)
