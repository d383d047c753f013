"""A run folder from a stranger, or from a bad disk: whatever its files hold, each question has an answer or one sentence why not."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import digits, tiny_model

import genlab
from genlab.errors import RunError
from genlab.runs import Run, list_runs, load_model, read_header, save_tensors, take_learning_rate
from genlab.runs.tensors import read_table

SMALL: dict[str, Any] = {"channels": 1, "blocks": 0, "first_kernel": 3}
FILES = ("config.json", "metrics.jsonl", "checkpoint.safetensors", "label.txt", "control.json", "lock", "log.txt", "samples")

QUESTIONS: dict[str, Callable[[Run], object]] = {
    "label": lambda run: run.label,
    "config": lambda run: run.config,
    "report": lambda run: run.report,
    "abilities": lambda run: run.abilities,
    "domain": lambda run: run.domain,
    "sample_files": lambda run: run.sample_files,
    "holder": lambda run: run.holder,
    "metrics": lambda run: run.metrics(),
    "events": lambda run: [(event["event"], event["message"], event["time"] + event["step"]) for event in run.metrics("event")],
    "best": lambda run: run.report.describe((run.best() or {}).get("values", {})),
    "best_value": lambda run: run.best_value(),
    "state": lambda run: run.state(),
    "header": lambda run: read_header(run.checkpoint_path),
    "model": lambda run: load_model(run),
    "raw model": lambda run: load_model(run.checkpoint_path, weights="raw"),
    "wish": take_learning_rate,
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = genlab.train(tiny_model(**SMALL), digits(), epochs=1, batch_size=512, out=tmp_path_factory.mktemp("foreign") / "sound")
    (run.path / "label.txt").write_text("a label\n")
    (run.path / "control.json").write_text('{"learning_rate": 0.001}')
    return run


@pytest.fixture
def run(sound: Run, tmp_path: Path) -> Run:
    """A copy that a test may spoil, beside a sound one."""
    shutil.copytree(sound.path, tmp_path / "runs" / "sound")
    return Run(Path(shutil.copytree(sound.path, tmp_path / "runs" / "spoilt")))


def refusal(run: Run, name: str) -> str:
    """The one sentence that refuses a question, or nothing; any error but a refusal falls through."""
    sentence = ""
    try:
        QUESTIONS[name](run)
    except RunError as error:
        sentence = str(error)
    assert "\n" not in sentence
    assert len(sentence) < 4_000
    return sentence


def answers(run: Run) -> list[str]:
    """Which questions were refused."""
    refused = [name for name in QUESTIONS if refusal(run, name)]
    # Others are listed, whatever this one is.
    assert Run(run.path.parent / "sound") in list_runs(run.path.parent)
    return refused


def test_a_sound_run_answers_everything(run: Run) -> None:
    assert answers(run) == []
    assert run.label == "a label"


# Any file, any damage -------------------------------------------------------------------------------------------------------


def a_directory(file: Path) -> None:
    file.unlink()
    (file / "inner").mkdir(parents=True)


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def a_link_to_nothing(file: Path) -> None:
    file.unlink()
    file.symlink_to("nothing")


def a_link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def a_byte_that_is_no_text(file: Path) -> None:
    file.write_bytes(b"\xff" + file.read_bytes())


def nothing(file: Path) -> None:
    file.write_bytes(b"")


def brackets_without_end(file: Path) -> None:
    file.write_bytes(b"[" * 10_000)


def brackets_in_a_record(file: Path) -> None:
    file.write_bytes(b'{"kind": "event", "step": ' + b"[" * 10_000 + b"]" * 10_000 + b"}\n")


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def a_hole_of_a_terabyte(file: Path) -> None:
    os.truncate(file, 2**40)


DAMAGES = (
    *(a_directory, a_pipe, a_link_to_nothing, a_link_to_itself, a_byte_that_is_no_text),
    *(nothing, brackets_without_end, brackets_in_a_record, half, a_hole_of_a_terabyte),
)
ASKED_OF = {
    "config.json": {"config", "report", "abilities", "domain", "best", "best_value", "model"},
    "metrics.jsonl": {"metrics", "events", "best", "best_value", "state"},
    "checkpoint.safetensors": {"header", "model", "raw model"},
    "lock": {"holder", "state"},
}
# An empty file of records or of a process id holds nothing wrong; a torn last line and any process id are let through.
HARMLESS = (
    {("metrics.jsonl", nothing), ("metrics.jsonl", half), ("metrics.jsonl", brackets_without_end)}
    | {("lock", damage) for damage in DAMAGES if damage not in (a_directory, a_pipe, a_link_to_itself)}
    | {("metrics.jsonl", a_link_to_nothing)}
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_one_sentence_that_names_it(run: Run, name: str, damage: Callable[[Path], None]) -> None:
    file = run.path / name
    if file.is_dir():
        shutil.rmtree(file)
        file.write_bytes(b"x")
    damage(file)
    refused = set(answers(run))
    if (name, damage) in HARMLESS or name not in ASKED_OF:
        assert refused == set()
    elif name == "metrics.jsonl":
        # Who asks for validations alone does not stumble over a damaged event.
        assert {"metrics"} <= refused <= ASKED_OF[name]
    else:
        assert refused == ASKED_OF[name]


# Any key, any value ---------------------------------------------------------------------------------------------------------

VALUES = (
    "null",
    "true",
    "-1",
    "1e400",
    "NaN",
    '"x"',
    '"\\ud800"',
    "[]",
    "{}",
    str(2**70),
    "1.5",
    "[" * 50 + "]" * 50,
    '"' + "x" * 10_000 + '"',
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


def with_text_at(value: Any, path: tuple[Any, ...], text: str | None) -> str:
    """The JSON text of a value with other text at one place, or without that place."""
    if not path:
        return "null" if text is None else text
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if text is None:
        del inner[path[-1]]
        return json.dumps(copy)
    inner[path[-1]] = "A-PLACE"
    return json.dumps(copy).replace('"A-PLACE"', text)


def test_whatever_stands_in_the_config_is_an_answer_or_one_sentence(run: Run) -> None:
    config = run.config
    del config["data"]["record"]["classes"]
    for path in places(config):
        for text in (None, *VALUES):
            (run.path / "config.json").write_text(with_text_at(config, path, text))
            for name in ("config", "report", "abilities", "domain", "best_value"):
                sentence = refusal(run, name)
                assert "config.json" in sentence or not sentence


def test_whatever_stands_in_a_record_is_an_answer_or_one_sentence(run: Run) -> None:
    kinds = {record["kind"]: record for record in map(json.loads, (run.path / "metrics.jsonl").read_text().splitlines())}
    assert kinds.keys() == {"event", "train", "valid", "sample"}
    for record in kinds.values():
        for path in places(record):
            for text in (None, *VALUES):
                (run.path / "metrics.jsonl").write_text(with_text_at(record, path, text) + "\n")
                for name in ("metrics", "events", "best", "best_value", "state"):
                    sentence = refusal(run, name)
                    assert "metrics.jsonl is torn at line 1" in sentence or not sentence


def test_whatever_stands_in_the_header_of_a_checkpoint_is_an_answer_or_one_sentence(run: Run) -> None:
    content = run.checkpoint_path.read_bytes()
    table = read_table(run.checkpoint_path)
    described = json.loads(content[8 : table.begin])
    genlab_header = json.loads(described["__metadata__"]["genlab"])

    def write(text: str) -> None:
        run.checkpoint_path.write_bytes(len(text.encode()).to_bytes(8, "little") + text.encode() + content[table.begin :])

    for path in places(genlab_header):
        for text in (None, *VALUES):
            other = with_text_at(genlab_header, path, text)
            if other == json.dumps(genlab_header):  # what stood there
                continue
            write(json.dumps({**described, "__metadata__": {"genlab": other}}))
            answers(run)
            with pytest.raises(RunError, match=r"checkpoint\.safetensors"):
                load_model(run)
    for path in [path for path in places(described) if path and path[0] in ("__metadata__", "model/nodes.input.bias")]:
        for text in (None, *VALUES):
            write(with_text_at(described, path, text))
            with pytest.raises(RunError, match=r"checkpoint\.safetensors"):
                load_model(run)


@pytest.mark.parametrize("key", ["step", "best_step", "seconds", "best", "moves", "versions", "model"])
def test_a_header_that_was_sealed_with_any_number_is_resumed_or_refused(run: Run, key: str) -> None:
    header, tensors = read_header(run.checkpoint_path), load_file(run.checkpoint_path)
    for value in (None, True, -1, "x", [], {}, 1.5, 2**62):
        save_tensors(run.checkpoint_path, tensors, {**header, key: value})
        try:
            genlab.train(tiny_model(**SMALL), digits(), out=run.path, resume=True, steps=4)
        except RunError as error:
            sentence = str(error)
        else:
            continue
        assert "has a header that lacks a number to go on with" in sentence
        assert run.state() == "finished", "a refused run is left as it was"


def test_a_flipped_bit_of_a_checkpoint_is_noticed(run: Run) -> None:
    content = run.checkpoint_path.read_bytes()
    chance = random.Random(0)
    for place in [0, 7, len(content) - 1, *(chance.randrange(len(content)) for _ in range(150))]:
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << chance.randrange(8)
        run.checkpoint_path.write_bytes(spoilt)
        with pytest.raises(RunError, match=r"checkpoint\.safetensors"):
            load_model(run)
    run.checkpoint_path.write_bytes(bytes(spoilt))
    with pytest.raises(RunError, match=r"checkpoint\.safetensors"):
        genlab.train(tiny_model(**SMALL), digits(), out=run.path, resume=True, epochs=2)
    run.checkpoint_path.write_bytes(content)
    load_model(run)


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_anywhere_are_an_answer_or_one_sentence(run: Run, seed: int) -> None:
    chance = random.Random(seed)
    for name in set(FILES) - {"samples", "control.json"}:
        content = (run.path / name).read_bytes()
        for _ in range(30):
            spoilt = bytearray(content)
            for _ in range(chance.choice((1, 3, 20))):
                spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            (run.path / name).write_bytes(spoilt[: chance.randrange(1, len(spoilt) + 1)])
            answers(run)
        (run.path / name).write_bytes(content)


# What a file merely promises ------------------------------------------------------------------------------------------------


def test_a_checkpoint_that_promises_more_than_it_has_is_refused_from_its_header(run: Run) -> None:
    for size in (5_000_000_000, 2**62, -4):
        table = json.dumps({"model/x": {"dtype": "F32", "shape": [max(size, 0) // 4], "data_offsets": [0, size]}}).encode()
        run.checkpoint_path.write_bytes(len(table).to_bytes(8, "little") + table + bytes(64))
        with pytest.raises(RunError, match="is torn or not a safetensors file"):
            load_model(run)
    for length in (2**40, 2**63 - 1, 2**64 - 1):
        run.checkpoint_path.write_bytes(length.to_bytes(8, "little") + bytes(183))
        with pytest.raises(RunError, match="promises a header of"):
            load_model(run)


def test_a_network_that_its_tensors_do_not_bear_out_takes_no_memory(run: Run) -> None:
    """Masks of 1024 × 2048 × 63 × 63 would take 8 GB each."""
    settings = {"image_shape": [1, 8, 8], "levels": 2, "channels": 1024, "blocks": 100, "first_kernel": 63}
    header = {"format": 1, "model": {"name": "pixelcnn", "settings": settings}, "step": 1}
    save_file({"model/x": torch.zeros(1)}, run.checkpoint_path, metadata={"genlab": json.dumps(header)})
    code = """
        import resource, sys
        from genlab.runs import load_model
        import torch, genlab.models.causal.model
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        try:
            load_model(sys.argv[1])
        except Exception as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(run.path)], capture_output=True, text=True)
    assert "RunError" in done.stdout, done
    assert "does not fit the model" in done.stdout


def test_a_wish_that_is_none_is_dropped(run: Run) -> None:
    for content in (b"", b"[]", b'{"learning_rate": 1e400}', b'{"learning_rate": "x"}', b"[" * 10_000, b"\xff", b'{"learning_rate": -1}'):
        (run.path / "control.json").write_bytes(content)
        assert take_learning_rate(run) is None
        assert not (run.path / "control.json").exists()


def test_samples_of_foreign_names_are_no_samples(run: Run) -> None:
    for name in ("step-x.png", "step-.png", "step-00000001.exe", "step-99999999999999999999.png", ".step-00000003.png.123"):
        (run.path / "samples" / name).write_bytes(b"x")
    (run.path / "samples" / "step-00000009.png").mkdir()
    assert [file.name for file in run.sample_files] == ["step-00000000.png", "step-00000003.png"]
    run.cut_back(0)
    assert [file.name for file in run.sample_files] == ["step-00000000.png"]


# Rights ---------------------------------------------------------------------------------------------------------------------

WITHOUT_RIGHTS = """
    import os, sys
    import genlab, torch, numpy, genlab.training
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from test_foreign_runs import QUESTIONS, SMALL
    from tiny import digits, tiny_model
    from genlab.errors import GenlabError
    from genlab.runs import *
    data, model = digits(), tiny_model(**SMALL)
    run = Run(Path(sys.argv[1]))
    if os.getuid() == 0:
        load_model(run)  # imports what it needs, which may lie where only root may look
        os.setuid(65534)
    more = dict(resume=lambda run: genlab.train(model, data, out=run.path, resume=True, epochs=2),
                new=lambda run: genlab.train(model, data, out=run.path / "inner", epochs=1),
                remove=remove_run, label=lambda run: write_label(run, "x"), rate=lambda run: request_learning_rate(run, 0.1),
                listing=lambda run: list_runs(run.path), parent=lambda run: list_runs(run.path.parent))
    for name, ask in {{**QUESTIONS, **more}}.items():
        try:
            ask(run)
            print(name, "answered")
        except GenlabError as error:
            print(name, "refused", str(error).count(chr(10)))
        except BaseException as error:
            print(name, "BROKE", type(error).__name__, error)
"""


@pytest.mark.parametrize("where", ["files", "folder", "folder read-only"])
def test_missing_rights_are_one_sentence(sound: Run, where: str) -> None:
    # pytest closes its folders to all other users, now and then while others' tests begin.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        run = Run(Path(shutil.copytree(sound.path, Path(folder) / "run")))
        said = without_rights(run, where)
    assert "BROKE" not in said, said
    assert {"resume refused 0", "parent answered"} <= set(said.splitlines())
    if where != "folder read-only":
        assert {"config refused 0", "metrics refused 0", "model refused 0", "holder refused 0"} <= set(said.splitlines())


def without_rights(run: Run, where: str) -> str:
    """What a process hears that asks without rights to the files, or to their folder."""
    if where == "files":
        for file in run.path.rglob("*"):
            file.chmod(0)
    else:
        run.path.chmod(0o555 if "read-only" in where else 0)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WITHOUT_RIGHTS).format(tests=str(Path(__file__).parent)), str(run.path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    run.path.chmod(0o755)
    return done.stdout + done.stderr
