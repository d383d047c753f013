"""The command line: every verb on real runs, and exit codes that mean something."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny import digits, tiny_run

from genlab.cli import main
from genlab.images import save_png
from genlab.models import create_model
from genlab.runs import Run, list_runs, read_header, save_model

TINY = ["--set", "channels=4", "blocks=1", "binarize=threshold"]


@pytest.fixture(autouse=True)
def _own_runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run that tests only read."""
    return tiny_run(tmp_path_factory.mktemp("trained") / "run", epochs=2)


def command(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """``python -m genlab`` as a process of its own."""
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment}
    return subprocess.Popen(
        [sys.executable, "-m", "genlab", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings
    )


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """What stderr holds, which must be one line that says whose error it is."""
    captured = capsys.readouterr().err
    assert re.fullmatch(r"genlab: error: [^\n]+\n", captured), captured
    return captured


def test_train_sample_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "pixelcnn", "--data", "digits", "--epochs", "2", "--out", "a", *TINY]) == 0
    output = capsys.readouterr()
    assert re.search(r"best validation +0\.\d{4} bits/dim \(\d+\.\d\d nats an image\) at step 46", output.out)
    assert re.search(r"sample grid +a/samples/step-00000046\.png", output.out)
    assert "genlab sample a -n 64 --out grid.png" in output.out
    assert output.err.splitlines() == [line.split(" ", 2)[2] for line in Path("a/log.txt").read_text().splitlines()]

    assert main(["sample", "a", "-n", "10", "--out", "g.png", "--seed", "3"]) == 0
    with Image.open("g.png") as picture:
        assert picture.size == (4 * 57 + 1, 3 * 57 + 1)
        assert "10 images of pixelcnn, seed 3" in picture.info["Description"]

    assert main(["evaluate", "a", "--split", "valid", "--json", "e.json"]) == 0
    result = json.loads(Path("e.json").read_text())
    best = min(record["nats"] for record in Run(Path("a")).metrics("valid"))
    assert result["nats"] == pytest.approx(best)
    output = capsys.readouterr()
    assert f"valid: {best:.2f} ± " in output.out
    assert result["protocol"] in output.out


def test_the_command_line_trains_what_the_library_trains(trained: Run) -> None:
    assert main(["train", "pixelcnn", "--epochs", "2", "--out", "a", *TINY]) == 0
    ours, theirs = load_file("a/checkpoint.safetensors"), load_file(trained.checkpoint_path)
    assert all(np.array_equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_resume_needs_nothing_but_the_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "pixelcnn", "--epochs", "1", "--out", "a", *TINY, "training.seed=5"]) == 0
    assert main(["train", "--resume", "--out", "a", "--epochs", "2"]) == 0
    assert main(["train", "pixelcnn", "--data", "digits", "--resume", "--out", "a", "--epochs", "3", "--set", "channels=4"]) == 0
    run = Run(Path("a"))
    assert read_header(run.checkpoint_path)["epoch"] == 3
    assert run.config["seed"] == 5
    capsys.readouterr()
    assert main(["train", "--resume", "--out", "a", "--set", "channels=5"]) == 2
    assert "model.channels must be 4" in error_of(capsys)
    assert main(["train", "--resume", "--out", "a", "--data", "slanted"]) == 2
    assert re.search("--data must be the images with checksum '[0-9a-f]{64}' to resume a; got '", error_of(capsys))


def test_set_reaches_model_data_and_training() -> None:
    settings = [
        "channels=3",
        "model.blocks=0",
        "first_kernel=5",
        "dilations=2,1",
        "data.seed=4",
        "binarize=dynamic",
        "training.seed=6",
        "learning_rate=1e-3",
        "clip_norm=none",
    ]
    assert main(["train", "pixelcnn", "--epochs", "1", "--out", "a", "--set", *settings]) == 0
    config = Run(Path("a")).config
    asked = {"image_shape": [1, 8, 8], "levels": 2, "channels": 3, "blocks": 0, "first_kernel": 5, "dilations": [2, 1]}
    assert config["model"]["settings"] == {**config["model"]["settings"], **asked}
    assert (config["data"]["seed"], config["data"]["binarize"], config["seed"]) == (4, "dynamic", 6)
    assert (config["training"]["learning_rate"], config["training"]["clip_norm"]) == (1e-3, None)


def test_runs_are_listed_shown_and_removed(capsys: pytest.CaptureFixture[str], trained: Run) -> None:
    assert main(["train", "pixelcnn", "--epochs", "1", *TINY]) == 0
    (run,) = list_runs()
    (run.path.parent / "torn").mkdir()
    (run.path.parent / "torn" / "config.json").write_text("{")
    capsys.readouterr()
    assert main(["runs"]) == 0
    listed = capsys.readouterr().out
    assert re.search(rf"^{run.name} +finished +pixelcnn +digits +23 +0\.\d{{4}} bits/dim$", listed, re.MULTILINE)
    assert re.search(r"^torn +torn +.*not JSON", listed, re.MULTILINE)
    assert main(["runs", "list", str(trained.path.parent)]) == 0
    assert "pixelcnn  digits  46" in capsys.readouterr().out
    assert main(["runs", "show", run.name]) == 0
    shown = capsys.readouterr().out
    assert "channels=4" in shown
    assert "finished 1 epoch:" in shown
    assert main(["runs", "remove", run.name]) == 0
    assert not run.path.exists()


def test_sample_writes_arrays_as_well(trained: Run) -> None:
    from genlab.runs import load_model
    from genlab.sampling import sample

    assert main(["sample", str(trained.path), "-n", "3", "--seed", "2", "--out", "x.npz"]) == 0
    with np.load("x.npz") as arrays:
        assert list(arrays) == ["images"]
        assert np.array_equal(arrays["images"], sample(load_model(trained), 3, seed=2))
    first = Path("x.npz").read_bytes()
    assert main(["sample", str(trained.path), "-n", "3", "--seed", "2", "--out", "x.npz"]) == 0
    assert Path("x.npz").read_bytes() == first


def test_complete_keeps_the_rows_it_is_shown(trained: Run) -> None:
    save_png("digit.png", 255 - 255 * digits().test.images[0, 0])  # black on white, as on paper
    assert main(["complete", str(trained.path), "--image", "digit.png", "--rows", "5", "-n", "4", "--out", "c.npz"]) == 0
    with np.load("c.npz") as arrays:
        known, mask, images = (arrays[name] for name in ("known", "known_mask", "images"))
    assert images.shape == (4, 1, 8, 8)
    assert mask[0].all(axis=1).tolist() == [True] * 5 + [False] * 3
    assert (images[:, mask] == known[mask]).all()
    assert known.any()
    assert main(["complete", str(trained.path), "--image", "digit.png", "--out", "c.png"]) == 0
    with Image.open("c.png") as picture:
        assert picture.size == (4 * 57 + 1, 3 * 57 + 1)
        assert "12 completions of 4 rows by pixelcnn, seed 0" in picture.info["Description"]


def test_a_photograph_of_a_digit_is_found_and_completed(trained: Run) -> None:
    page = np.full((300, 200), 180, np.uint8)
    page[100:200, 90:110] = 40  # a stroke on grey paper
    save_png("page.png", page)
    assert main(["complete", str(trained.path), "--image", "page.png", "--photograph", "-n", "1", "--out", "c.npz"]) == 0
    with np.load("c.npz") as arrays:
        assert arrays["known"][0].any(axis=1).sum() >= 4
        assert not arrays["known"][0, :, [0, 7]].any()


def test_a_colour_picture_is_completed_in_colour() -> None:
    model = create_model("pixelcnn", image_shape=(3, 8, 6), levels=4, channels=3, blocks=0)
    save_model(model, "colour.safetensors")
    picture = np.zeros((80, 60, 3), np.uint8)
    picture[:, :, 0], picture[:40, :, 2] = 255, 128
    save_png("photo.png", picture)
    assert main(["complete", "colour.safetensors", "--image", "photo.png", "-n", "1", "--out", "c.npz"]) == 0
    with np.load("c.npz") as arrays:
        assert arrays["known"][:, 0, 0].tolist() == [3, 0, 2]
        assert (arrays["images"][0, :, :4] == arrays["known"][:, :4]).all()


def test_a_seed_decides_the_first_weights_and_everything_drawn() -> None:
    arguments = ["train", "pixelcnn", "--epochs", "1", *TINY]
    for name, seed in (("a", ["--seed", "5"]), ("b", ["training.seed=5"]), ("c", ["--seed", "6"])):
        assert main([*arguments, *seed, "--out", name]) == 0
    weights = {name: load_file(f"{name}/checkpoint.safetensors") for name in "abc"}
    same = {name: all(torch.equal(tensor, weights[name][key]) for key, tensor in weights["a"].items()) for name in "bc"}
    assert same == {"b": True, "c": False}


def test_export_writes_a_script_that_names_the_run(trained: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(trained.path), "--out", "again.py"]) == 0
    capsys.readouterr()
    assert main(["export", str(trained.path)]) == 0
    text = Path("again.py").read_text()
    assert capsys.readouterr().out == text
    compile(text, "again.py", "exec")
    assert "genlab.train(" in text


def test_suggested_commands_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "pixelcnn", "--epochs", "1", "--out", "my run; x", *TINY]) == 0
    (command,) = re.findall(r"genlab (sample .*)", capsys.readouterr().out)
    assert main(shlex.split(command)) == 0
    assert Path("grid.png").exists()


def test_a_model_file_can_be_sampled_and_scored(capsys: pytest.CaptureFixture[str], trained: Run) -> None:
    from genlab.runs import load_model

    save_model(load_model(trained), "model.safetensors")
    assert main(["sample", "model.safetensors", "-n", "1", "--out", "one.png"]) == 0
    assert Path("one.png").exists()
    capsys.readouterr()
    assert main(["evaluate", "model.safetensors"]) == 2
    assert "--data must be given" in error_of(capsys)
    assert main(["evaluate", "model.safetensors", "--data", "digits", "--set", "binarize=threshold"]) == 0
    alone = capsys.readouterr().out
    assert main(["evaluate", str(trained.path)]) == 0
    assert capsys.readouterr().out == alone
    assert main(["evaluate", str(trained.path), "--set", "binarize=dynamic"]) == 0
    assert "dynamic binarisation" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ("train pixlcnn --out new", 2, "MODEL must be one of .*pixelcnn.*; got 'pixlcnn'; did you mean 'pixelcnn'"),
        ("train pixelcnn --out new --data nothing", 2, "--data must be one of digits, .*mnist"),
        ("train pixelcnn --out new --epochs 0", 2, "--epochs should be greater than or equal to 1; got '0'"),
        ("train pixelcnn --out new --epochs two", 2, "epochs should be a valid integer.*got 'two'"),
        ("train pixelcnn --out new --minutes nan", 2, "minutes .*got 'nan'"),
        ("train pixelcnn --out new --set depth=3", 2, "no setting 'depth'; known: model.channels, .*training.learning_rate"),
        ("train pixelcnn --out new --set learning_rat=1", 2, "no setting 'learning_rat'; did you mean 'learning_rate'"),
        ("train pixelcnn --out new --set blocks=1 blocks=2", 2, "--set model.blocks must not contradict itself; got '1' and '2'"),
        ("train pixelcnn --out new --epochs 1 --set epochs=2", 2, "--epochs and --set epochs must not contradict .* '1' and '2'"),
        ("train pixelcnn --out new --seed 1 --set training.seed=2", 2, "--seed and --set seed must not contradict .* '1' and '2'"),
        ("train pixelcnn --out new --seed -1", 2, "--seed should be greater than or equal to 0; got '-1'"),
        ("train other --out RUN --resume", 2, "MODEL must be one of"),
        ("train pixelcnn --out new --set training.blocks=3", 2, "no setting 'training.blocks'"),
        ("train pixelcnn --out new --set levels=300", 2, "levels .*got '300'"),
        ("train pixelcnn --out new --set seed=3", 2, "data.seed or training.seed"),
        ("train pixelcnn --out new --set blocks", 2, "--set takes name=value; got 'blocks'"),
        ("train pixelcnn --out new --set blocks=-1", 2, "blocks should be greater than or equal to 0; got '-1'"),
        ("train --out new", 2, "MODEL must be given"),
        ("train --resume", 2, "--out must name the run folder"),
        ("train --resume --out new", 4, "new is not a run folder"),
        ("train pixelcnn --out RUN", 2, "--out must be a new or empty folder; .* holds a run already .--resume goes on"),
        ("sample new", 4, "there is no run folder new"),
        ("sample digits-pixelcn", 4, "there is no run folder digits-pixelcn; did you mean 'digits-pixelcnn'"),
        ("sample RUN -n 0", 2, "-n must be at least 1; got 0"),
        ("sample RUN -n 1000000000", 2, "which fill one picture; got 1000000000. Give an --out that ends in .npz for more"),
        ("sample RUN -n 100000000000 --out many.npz", 2, "-n must be so few images that they fit into memory, here and now"),
        ("sample RUN --out g.jpg", 2, "--out must end in .png or .npz; got 'g.jpg'"),
        ("sample RUN --labels 1 2 3 -n 2", 2, "--labels must be one class for all images or 2, one for each; got 3"),
        ("sample RUN --labels 1", 2, "--labels must be None: model 'pixelcnn' is not class-conditional"),
        ("complete RUN --image no.png", 2, "--image must be a picture that exists; got 'no.png'"),
        ("complete RUN --image .", 2, "--image must be a picture that exists"),
        ("complete RUN --image PNG --rows 9", 2, "--rows must be from 0 to 8, the rows of the model's images; got 9"),
        ("complete RUN --image PNG -n 0", 2, "-n must be at least 1; got 0"),
        ("complete RUN --image PNG --out missing/g.png", 2, "--out must name a file in a folder that exists"),
        ("export new", 4, "there is no run folder new"),
        ("export RUN --out s.txt", 2, "--out must end in .py; got 's.txt'"),
        ("export RUN --out missing/s.py", 2, "--out must name a file in a folder that exists; got 'missing/s.py'"),
        ("sample RUN --seed -1", 2, "--seed must be at least 0"),
        ("sample RUN --backend cuda", 2, "--backend must be one of"),
        ("sample RUN --weights last", 2, "--weights must be one of"),
        ("sample RUN --out missing/g.png", 2, "--out must name a file in a folder that exists; got 'missing/g.png'"),
        ("evaluate new", 4, "there is no run folder new"),
        ("evaluate RUN --split tset", 2, "--split must be one of .*; got 'tset'; did you mean 'test'"),
        ("evaluate RUN --set blocks=3", 2, "no setting 'blocks'; known: data.levels"),
        ("evaluate RUN --data nothing", 2, "--data must be one of"),
        ("evaluate RUN --draws 0", 2, "--draws must be from 1 to 10,000; got 0"),
        ("evaluate RUN --draws 1000000000", 2, "--draws must be from 1 to 10,000; got 1000000000"),
        ("evaluate RUN --json missing/e.json", 2, "--json must name a file in a folder that exists; got 'missing/e.json'"),
        ("evaluate RUN --json .", 2, "--json must name a file"),
        ("bench kernels --json missing/b.json", 2, "--json must name a file"),
        ("quiz --csv missing/q.csv", 2, "--csv must name a file"),
        ("quiz --csv q.csv --name Anna", 2, "--csv asks nothing, so --name must not be given"),
        ("runs show new", 4, "there is no run folder new"),
        ("runs remove", 2, "takes at least one RUN"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    trained: Run, capsys: pytest.CaptureFixture[str], arguments: str, code: int, sentence: str
) -> None:
    before = sorted(Path().rglob("*"))
    words = {"RUN": str(trained.path), "PNG": str(trained.sample_files[0])}
    assert main([words.get(word, word) for word in arguments.split()]) == code
    assert re.search(sentence, error_of(capsys))
    assert sorted(Path().rglob("*")) == before


def test_a_model_that_lacks_what_a_verb_needs_says_what_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    import outside_family

    assert main(["train", outside_family.NAME, "--epochs", "1", "--out", "a", "--set", "hidden=2", "binarize=threshold"]) == 0
    assert "best validation" in capsys.readouterr().out
    save_png("digit.png", np.eye(8, dtype=np.uint8) * 255)
    needs = {
        (
            "evaluate",
            "a",
            "--typicality",
        ): "evaluate needs an exact likelihood, which model 'forger' does not have; it has an opinion on what is real",
        ("complete", "a", "--image", "digit.png"): "genlab complete needs one value after another",
        ("sample", "a", "--temperature", "0.5"): "temperature",
        ("sample", "a", "--labels", "1"): "labels",
    }
    for arguments, sentence in needs.items():
        assert main([*arguments]) == 2
        assert sentence in error_of(capsys)
    assert main(["sample", "a", "-n", "2", "--out", "two.png"]) == 0
    assert main(["evaluate", "a"]) == 0
    assert "mean distance of average pixels, 180 examples" in capsys.readouterr().out


def test_a_new_learning_rate_on_resume(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "pixelcnn", "--epochs", "1", "--out", "a", *TINY]) == 0
    assert main(["train", "--resume", "--out", "a", "--epochs", "2", "--set", "learning_rate=5e-4"]) == 0
    assert Run(Path("a")).config["training"]["learning_rates"] == [[23, 5e-4]]


def test_a_mistyped_word_gets_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, word in ((["trian"], "train"), (["runs", "lst"], "list"), (["bench", "kernel"], "kernels")):
        assert main(arguments) == 2
        assert f"did you mean '{word}'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], [], ["runs", "eat"], ["sample"], ["bench", "nonsense"]])
def test_usage_errors_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: genlab" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"genlab \d+\.\d+\.\d+\n", capsys.readouterr().out)
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    for setting in ("ema_decay=0.999 ", "binarize=none", "blocks=7 "):
        assert setting in text


def test_help_and_info_load_no_torch() -> None:
    code = "import sys; from genlab.cli import main; main(['--help']); main(['info']); sys.exit('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.search(r"native available +(True|False)", result.stdout)
    assert re.search(r"native reason +\w+", result.stdout)


def test_training_that_fails_exits_with_3(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from genlab.models.causal.model import CausalModel

    loss = CausalModel.loss
    monkeypatch.setattr(CausalModel, "loss", lambda *arguments, **options: loss(*arguments, **options) * float("nan"))
    assert main(["train", "pixelcnn", "--epochs", "1", "--out", "a", *TINY]) == 3
    assert "is not finite any more at step 1" in capsys.readouterr().err.splitlines()[-1]
    assert Run(Path("a")).state() == "failed"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_a_stop_signal_leaves_a_run_that_can_be_resumed(
    number: signal.Signals, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Signals(io.StringIO):
        """Somebody who sends the signal as soon as the training says that it has begun."""

        def write(self, text: str) -> int:
            if text.startswith("started pixelcnn on digits"):
                signal.raise_signal(number)
            return super().write(text)

    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", Signals())
        assert main(["train", "pixelcnn", "--minutes", "60", "--out", "a", *TINY]) == code
        said = sys.stderr.getvalue()
    assert "resume with: genlab train --resume --out a" in capsys.readouterr().out + said
    assert Run(Path("a")).state() == "stopped"
    assert main(["train", "--resume", "--out", "a", "--epochs", "1"]) == 0
    assert Run(Path("a")).state() == "finished"


def test_a_folder_in_use_exits_with_4(capsys: pytest.CaptureFixture[str]) -> None:
    with command("train", "pixelcnn", "--minutes", "60", "--out", "a", *TINY, OMP_NUM_THREADS="1") as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("started")
        assert main(["train", "--resume", "--out", "a"]) == 4
        assert f"process {process.pid} is training into it" in error_of(capsys)
        assert main(["runs", "remove", "a"]) == 4
        process.kill()
    assert Run(Path("a")).state() == "interrupted"


def test_a_terminal_gets_a_bar(trained: Run) -> None:
    """A real pseudo-terminal: the bar moves on stderr and the log stays plain."""
    main_end, process_end = os.openpty()
    termios.tcsetwinsize(process_end, (24, 120))
    arguments = [sys.executable, "-m", "genlab", "train", "pixelcnn", "--epochs", "1", "--out", "a", *TINY]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=process_end, env=surroundings) as process:
        os.close(process_end)
        shown = b""
        while part := read_terminal(main_end):
            shown += part
    os.close(main_end)
    assert process.returncode == 0
    assert "100%|" in shown.decode()
    assert "images/s, 0:00:00 left" in shown.decode()
    assert "%|" not in Path("a/log.txt").read_text()


def read_terminal(descriptor: int) -> bytes:
    """What a terminal shows next; nothing once the last process has closed it (Linux says EIO then)."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def test_data_by_path(capsys: pytest.CaptureFixture[str]) -> None:
    np.savez("images.npz", images=np.concatenate([digits().train.images[:40], digits().test.images[:40]]))
    capsys.readouterr()
    code = main(["train", "pixelcnn", "--data", "images.npz", "--epochs", "1", "--out", "a", "--set", "channels=2", "blocks=0"])
    assert (code, capsys.readouterr().err.count("\n")) == (0, 2)
    assert main(["train", "--resume", "--data", "images.npz", "--epochs", "2", "--out", "a"]) == 0
    assert Run(Path("a")).config["data"]["name"] == str(Path("images.npz").resolve())
    assert main(["evaluate", "a"]) == 0
