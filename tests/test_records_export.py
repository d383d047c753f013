"""A run's records as other programs read them: every figure, at its step."""

import csv

import pytest

from genlab import cli
from genlab.errors import InputError
from genlab.export.records import table, write_tensorboard
from tests.tiny import tiny_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("runs") / "a run", log_seconds=0)


def test_the_table_holds_every_figure_at_its_step(run):
    rows = list(csv.DictReader(table(run).splitlines()))
    records = [record for record in run.metrics() if record["kind"] in ("train", "valid")]
    assert len(rows) == len(records) > 3
    for row, record in zip(rows, records, strict=True):
        assert (row["kind"], int(row["step"])) == (record["kind"], record["step"])
        for name, value in record["values"].items():
            assert float(row[name]) == value
    assert cli.main(["export", str(run.path), "--csv", "--out", str(run.path / "t.csv")]) == 0
    assert (run.path / "t.csv").read_text() == table(run)


def test_tensorboard_reads_every_figure(run, tmp_path, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert cli.main(["export", str(run.path), "--tensorboard", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "a run")
    events = EventAccumulator(str(tmp_path / "a run"))
    events.Reload()
    for kind in ("train", "valid"):
        records = run.metrics(kind)
        for name in ("nats", "bits_per_dim"):
            scalars = events.Scalars(f"{kind}/{name}")
            assert [scalar.step for scalar in scalars] == [record["step"] for record in records]
            assert [scalar.value for scalar in scalars] == pytest.approx([record["values"][name] for record in records])
    with pytest.raises(InputError, match="must be a new or an empty folder"):
        write_tensorboard(run, tmp_path)


def test_event_files_need_a_place(run, capsys):
    assert cli.main(["export", str(run.path), "--tensorboard"]) == 2
    assert "--tensorboard needs --out" in capsys.readouterr().err
