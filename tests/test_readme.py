"""What the README says is so: its two commands, its table of commands, its example."""

import re
from pathlib import Path

from PIL import Image, ImageDraw

import genlab
from genlab import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_two_commands_are_there_just_so():
    assert code_blocks("sh") == ["pip install -e . && streamlit run app.py\n", "pip install -e '.[test]' && pytest\n"]
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("pip install -q -e '.[test]' && pytest")


def test_its_examples_run(tmp_path, monkeypatch):
    library, own_data, photograph, codes, games = code_blocks("python")
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    names = run(library)
    assert names["halves"].shape == (8, 1, 8, 8)
    assert (names["halves"][:, :, :, :4] == names["images"][0][:, :, :4]).all()

    names = run(own_data)
    assert names["data"].levels == 17
    assert genlab.load_model("mine.safetensors").config == names["model"].config
    compile((tmp_path / "again.py").read_text(), "again.py", "exec")

    paper = Image.new("L", (600, 800), 200)
    ImageDraw.Draw(paper).line([(200, 250), (400, 250), (280, 560)], fill=40, width=24)  # a seven
    paper.save("digit.jpg")
    names = run(photograph)
    assert names["endings"].shape == (12, 1, 28, 28)
    assert (names["endings"][:, 0, :14] == names["digit"].levels(2)[:14]).all()

    names = run(codes)
    assert names["walk"].shape == (8, 1, 28, 28)
    assert names["least"].mean() < names["nearer"].mean()

    names = run(games)
    assert (names["digits"].shape, names["points"].shape) == ((16, 1, 28, 28), (2500, 2))
    assert (names["found"].found, names["found"].modes) == (8, 8)
    assert names["lies"].coverage.value > 0.3


def run(example):
    """The names that an example leaves, its training made short."""
    names = {}
    exec(example.replace("epochs=10", "epochs=1").replace("channels=16, blocks=3", "channels=4, blocks=1"), names)
    return names


def test_every_command_of_its_table_exists(capsys):
    commands = re.findall(r"^\| `genlab (\w+)(.*?)` \|", README, re.MULTILINE)
    assert cli.main(["no-verb"]) == 2
    verbs = re.search(r"choose from (.*?)\)", capsys.readouterr().err)
    assert verbs is not None
    assert {name for name, _ in commands} == set(re.findall(r"\w+", verbs[1]))
    for name, arguments in commands:
        assert cli.main([name, "--help"]) == 0
        text = capsys.readouterr().out
        for option in re.findall(r"--\w[\w-]*", arguments):
            assert option in text, f"genlab {name} has no {option}"


def test_its_datasets_are_those_that_load():
    named = set(re.findall(r"^\| `(\w+)` \|.*\|.*\|$", README, re.MULTILINE))
    assert named == set(genlab.datasets.DATASETS)


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)(.*?)\)", README):
        assert (ROOT / target).exists(), target
