"""The quiz: the lecture's own words, scoring, files that an instructor may break, answers that are kept, and the terminal."""

from __future__ import annotations

import csv
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

import genlab
from genlab import kept, quiz_store
from genlab.errors import InputError
from genlab.lecture import quiz as quiz_module
from genlab.lecture.quiz import VERDICTS, load
from genlab.lecture.quiz_terminal import play
from tests.waiting import wait_until

SLIDES = Path(__file__).with_name("lecture_slides_64_65.txt")
QUIZ = load(quiz_module.OWN_FILE)
KEYS = [question.answers for question in QUIZ.questions]


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENLAB_QUIZ", raising=False)
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))


# --- the lecture's words ----------------------------------------------------------------------------------------------------------


def read_slides() -> list[tuple[str, dict[str, str], set[str]]]:
    """Questions, options and keys out of the lecture's own text."""
    found: list[tuple[str, dict[str, str], set[str]]] = []
    for line in SLIDES.read_text(encoding="utf-8").splitlines():
        if option := re.fullmatch(r" - ([a-z])\. (.*)", line):
            found[-1][1][option[1]] = option[2]
        elif question := re.fullmatch(r"- (.*)", line):
            key = re.fullmatch(r"Answer ?: (.*)", question[1])
            if key:
                found[-1][2].update(key[1].split(", "))
            else:
                found.append((question[1], {}, set()))
    return found


def test_questions_options_and_keys_are_the_lectures_word_for_word() -> None:
    slides = read_slides()
    assert len(slides) == 6
    assert [(question.text, question.options, question.answers) for question in QUIZ.questions] == slides
    assert [list(question.options) for question in QUIZ.questions] == [["a", "b", "c", "d"]] * 6


def test_each_option_has_its_own_sentence_and_each_question_a_link() -> None:
    sentences = [sentence for question in QUIZ.questions for sentence in question.feedback.values()]
    assert len(sentences) == len(set(sentences)) == 24
    assert all(sentence.endswith(".") for sentence in sentences)
    assert all(question.links for question in QUIZ.questions)


def test_keys_that_can_be_argued_with_are_kept_and_say_why() -> None:
    loss, discriminator = QUIZ.questions[0], QUIZ.questions[-1]
    assert "d" in loss.answers
    assert "not a component to everyone" in (loss.argued or "")
    assert discriminator.answers == {"d"}
    assert "b and c can well be defended" in (discriminator.argued or "")


def test_it_is_there_as_soon_as_genlab_is() -> None:
    script = "import genlab; quiz = genlab.lecture.quiz.load(); print(sorted(quiz.questions[2].answers), type(quiz.questions))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "['b'] <class 'list'>\n"
    assert genlab.lecture.quiz.load().questions == QUIZ.questions


# --- scoring ----------------------------------------------------------------------------------------------------------------------


def test_only_the_exact_set_scores_and_partial_credit_stands_apart() -> None:
    result = QUIZ.score([{"a", "b", "d"}, {"a", "b"}, {"b", "d"}, {"a", "b", "c", "d"}, set(), {"d"}])
    assert [mark.exact for mark in result.marks] == [True, False, False, False, False, True]
    assert [mark.partial for mark in result.marks] == pytest.approx([1, 2 / 3, 0, 2 / 3, 0, 1])
    assert result.exact == 2
    assert result.partial == pytest.approx(1 + 2 / 3 + 2 / 3 + 1)
    assert result.missed == [1, 2, 3, 4]


@given(st.sets(st.sampled_from("abcd")), st.integers(0, 5))
def test_credit_is_whole_exactly_for_the_key(ticked: set[str], position: int) -> None:
    mark = QUIZ.mark(position, ticked)
    assert 0 <= mark.partial <= 1
    assert mark.exact == (mark.partial == 1) == (ticked == KEYS[position])
    question = QUIZ.questions[position]
    verdicts = [question.verdict(letter, ticked) for letter in question.options]
    assert mark.exact == (not {"missed", "wrong"} & set(verdicts))
    assert set(verdicts) <= set(VERDICTS)


def test_answers_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="answers must be 6 sets of letters, one for each question; got 2"):
        QUIZ.score([{"a"}, {"b"}])
    with pytest.raises(InputError, match="the answer to question 2 must be letters of a, b, c, d; got A, x"):
        QUIZ.score([{"a"}, {"x", "A"}, set(), set(), set(), set()])
    with pytest.raises(InputError, match="position must be from 0 to 5; got 6"):
        QUIZ.mark(6, {"a"})


# --- a file of one's own ----------------------------------------------------------------------------------------------------------

WHOLE = """\
title: Mine
questions:
  - text: Is a zebra <b>striped</b>?
    options:
      a: Yes
      b: No
    answers: [a]
    feedback:
      a: It is.
      b: Look again.
    argued: Some are not.
    see:
      - page: pixelcnn
        words: Stripes
"""


def test_a_file_replaces_the_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("\ufeff" + WHOLE, encoding="utf-8")
    monkeypatch.setenv("GENLAB_QUIZ", str(file))
    mine = load()
    assert (mine.title, len(mine.questions)) == ("Mine", 1)
    assert mine.questions[0].options == {"a": "Yes", "b": "No"}  # texts, and not what YAML takes Yes and No for
    assert mine.key != QUIZ.key


def test_what_is_optional_may_be_left_out(tmp_path: Path) -> None:
    file = tmp_path / "short.yaml"
    file.write_text("questions: [{text: Really, options: {y: Yes, n: No}, answers: [y, n]}]")
    (question,) = load(file).questions
    assert (question.answers, question.feedback, question.argued, question.links) == ({"y", "n"}, {}, None, ())


BROKEN = {
    "no key": ("    answers: [a]\n", "", 3, "entry 1 of questions must have answers; got text, options, feedback, argued, see"),
    "unknown key": ("    argued:", "    argud:", 11, "a key of entry 1 of questions must be one of text, options, .*; got 'argud'"),
    "key twice": ("      b: No\n", "      a: No\n", 6, "options must name each key once; got 'a' twice"),
    "long letter": ("      b: No\n", "      bb: No\n", 6, "a key of options must be one letter from a to z; got 'bb'"),
    "one option": ("      b: No\n", "", 5, "options must be at least 2; got 1"),
    "no such letter": ("[a]", "[a, c]", 7, "answers must be letters of a, b; got 'c'"),
    "letter twice": ("[a]", "[a,\n      a]", 8, "answers must name each letter once; got 'a' twice"),
    "no list": ("[a]", "a", 7, "answers must be a list; got the text 'a'"),
    "empty list": ("[a]", "[]", 7, "answers must not be empty"),
    "empty text": ("      a: Yes\n", "      a:\n", 5, "a must not be empty"),
    "list for text": ("      a: Yes\n", "      a: [Yes]\n", 5, "a must be a text; got a list"),
    "missing feedback": ("      b: Look again.\n", "", 9, "feedback must have a sentence for each of a, b; got a"),
    "path for page": ("page: pixelcnn", "page: ../../etc/passwd", 13, "page must be the name of a page's file"),
    "escape sequence": ("words: Stripes", r'words: "\e[2J"', 14, r"words must not hold control characters; got U\+001B"),
    "turned writing": ("words: Stripes", r'words: "a\u202eb"', 14, r"words must not hold control characters; got U\+202E"),
    "long text": ("Some are not.", "x" * 1001, 11, "argued must have at most 1000 characters; got 1001"),
    "torn bracket": ("[a]\n", "[a\n", 8, "the file must be YAML: "),
    "tab": ("      b: No\n", "\tb: No\n", 6, "the file must be YAML: found character"),
    "wrong indent": ("    answers: [a]\n", "   answers: [a]\n", 7, "the file must be YAML: "),
    "raw control character": ("No\n", "No\x07\n", 6, r"the file must be YAML; got the character U\+0007"),
    "deep nest": ("[a]", "[" * 5000, 7, "the file must not nest deeper than 12 levels"),
    "an object": ("[a]", "!!python/object/apply:os.system [exit]", 7, "answers must be letters of a, b; got 'exit'"),
    "itself": ("[a]", "&x [*x]", 7, "entry 1 of answers must be a text; got a list"),
    "a character's number": ("[a]", '["\\UFFFFFFFF"]', 7, "the file must be YAML: here or on the next lines stands a character's"),
    "links without end": (
        "      - page: pixelcnn\n        words: Stripes\n",
        f"      [{'x, ' * 11}]\n",
        13,
        "see must have at most 10 entries",
    ),
    "no place": ("words: Stripes", "words: Stripes\n        at: part", 15, "at must be a mapping; got the text 'part'"),
    "no name": (
        "words: Stripes",
        "words: Stripes\n        at: {1e400: x}",
        15,
        "a key of at must be a name .*'1e400'",
    ),
    "unknown anchor": ("[a]", "[*x]", 7, "the file must be YAML: found undefined alias"),
    "second document": ("    argued:", "---\n    argued:", 11, "the file must be YAML: but found another document"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_with_its_line(name: str, tmp_path: Path) -> None:
    old, new, line, sentence = BROKEN[name]
    assert WHOLE.count(old) == 1
    file = tmp_path / "broken.yaml"
    file.write_text(WHOLE.replace(old, new))
    with pytest.raises(InputError, match=rf"^{re.escape(str(file))}, line {line}: {sentence}"):
        load(file)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "line 1: the file must be a mapping with questions; got nothing"),
        (b"# only a remark\n", "line 1: the file must be a mapping with questions; got nothing"),
        (b"\n- text: x\n", "line 2: the file must be a mapping; got a list"),
        (b"questions:\n", "line 1: questions must be a list; got nothing"),
        (b"title: x\n\nquestions: []\n", "line 3: questions must not be empty"),
        (b"title: x\nquestions:\n  - \xff\n", "line 3: the file must be UTF-8; got the byte 0xff"),
        (b"questions: [" + b"x," * 101 + b"]", "line 1: questions must have at most 100 entries; got 101"),
        (b"#" * 300_000, "must have at most 262144 bytes; it has more"),
    ],
)
def test_a_file_that_holds_no_questions_says_so(content: bytes, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(sentence)):
        load(file)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a file of questions that can be read; got: No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="got: Is a directory"):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match=r"pipe.yaml must be a file of questions; got a pipe or a device"):
        load(tmp_path / "pipe.yaml")


@given(st.text(alphabet="questions: textoptionsanswers[]{}&*!-\n\"'ab|>", max_size=200))
def test_no_text_brings_the_reader_down(text: str) -> None:
    try:
        quiz_module._root(Path("x.yaml"), text).mapping(required=("questions",))
        told = "x.yaml, line 1: nothing to complain about"
    except InputError as error:
        told = str(error)
    assert re.match(r"x\.yaml, line \d+: .", told)


# --- answers that are kept --------------------------------------------------------------------------------------------------------


def answer(name: str, position: int, ticked: set[str]) -> None:
    quiz_store.remember(name, QUIZ, position, QUIZ.mark(position, ticked))


def exported() -> list[list[str]]:
    return list(csv.reader(quiz_store.export_csv().splitlines()))


def test_the_last_answer_counts_and_all_are_exported() -> None:
    answer("Ada", 0, {"a"})
    answer("Ada", 2, {"b"})
    answer("Bob", 0, {"c"})
    answer(" Ada ", 0, {"a", "b", "d"})
    assert quiz_store.recall("Ada", QUIZ) == {0: {"a", "b", "d"}, 2: {"b"}}
    assert quiz_store.recall("Eve", QUIZ) == {}
    header, *rows = exported()
    assert tuple(header) == quiz_store.COLUMNS
    assert [row[1:] for row in rows] == [
        ["Ada", QUIZ.key, "1", "1", "a", "0", "0.333"],
        ["Ada", QUIZ.key, "3", "1", "b", "1", "1.000"],
        ["Bob", QUIZ.key, "1", "1", "c", "0", "0.000"],
        ["Ada", QUIZ.key, "1", "2", "abd", "1", "1.000"],
    ]


def test_other_questions_do_not_inherit_the_answers(tmp_path: Path) -> None:
    answer("Ada", 0, {"a"})
    (tmp_path / "mine.yaml").write_text(WHOLE)
    assert quiz_store.recall("Ada", load(tmp_path / "mine.yaml")) == {}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1+1", '=HYPERLINK("http://x","y")'])
def test_a_name_is_no_formula_in_the_instructors_table(name: str) -> None:
    answer(name, 0, {"a"})
    assert exported()[1][1].startswith("'")
    assert all(re.match(r'"([^"]|"")*"(,"([^"]|"")*")*$', line) for line in quiz_store.export_csv().splitlines())


@pytest.mark.parametrize("name", ["x'; DROP TABLE answers; --", "<b>x</b>", "../../etc/passwd", "ünï 🙂", "a;=1+1"])
def test_any_name_is_only_a_name(name: str) -> None:
    answer(name, 0, {"a"})
    assert quiz_store.recall(name, QUIZ) == {0: {"a"}}
    assert exported()[1][1] == name


def test_names_are_cleaned_or_refused() -> None:
    assert kept.clean_name("  A\u202eda\x00\t Love\nlace ") == "A da Love lace"
    for name in ("", " \x00\u200b ", "x" * 61):
        with pytest.raises(InputError, match="name must have 1 to 60 visible characters"):
            kept.clean_name(name)


def test_many_writers_at_once_lose_nothing() -> None:
    threads = [Thread(target=lambda name=f"n{n}": [answer(name, p, {"a"}) for p in range(6)]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(exported()) == 1 + 48


def test_faults_of_the_database_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer("Ada", 0, {"a"})
    monkeypatch.setattr(quiz_store, "MOST_ANSWERS", 1)
    with pytest.raises(quiz_store.QuizStoreError, match="the quiz keeps at most 1 answers"):
        answer("Ada", 0, {"a"})
    monkeypatch.setattr(kept, "BUSY_SECONDS", 0.01)
    file = tmp_path / "runs" / ".quiz" / "quiz.sqlite"
    monkeypatch.setattr(quiz_store, "MOST_ANSWERS", 10)
    with sqlite3.connect(file) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(quiz_store.QuizStoreError, match="locked"):
            answer("Ada", 0, {"a"})
    other.close()
    answer("Ada", 0, {"b"})
    file.write_bytes(b"no database, but long enough to be looked at as one" * 50)
    for leftover in file.parent.glob("*-*"):
        leftover.unlink()
    with pytest.raises(quiz_store.QuizStoreError, match="not a database"):
        quiz_store.recall("Ada", QUIZ)


# --- the terminal -----------------------------------------------------------------------------------------------------------------


def piped(text: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "genlab", "quiz", *options], input=text, capture_output=True, text=True, check=False)


RIGHT = "abd\na, b, d\nB\na b d\nab\nd\n"


def test_answers_out_of_a_pipe_are_scored() -> None:
    done = piped(RIGHT)
    assert done.returncode == 0
    assert "Exactly right: 6 of 6. Partial credit, apart from that: 6.00 of 6." in done.stdout
    assert "Try again" not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "answers must be one line for each of 6 questions; got fewer"),
        ("abd\n", "answers must be one line for each of 6 questions; got fewer"),
        ("abd\n\n", "the answer to question 2 must be letters of a, b, c, d; got ''"),
        ("abx\n", "the answer to question 1 must be letters of a, b, c, d; got 'abx'"),
    ],
)
def test_a_pipe_is_not_asked_twice(text: str, sentence: str) -> None:
    done = piped(text)
    assert done.returncode == 2
    assert done.stderr == f"genlab: error: {sentence}\n"


def test_a_broken_file_ends_the_quiz_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.yaml").write_text(WHOLE.replace("[a]", "[c]"))
    monkeypatch.setenv("GENLAB_QUIZ", str(tmp_path / "broken.yaml"))
    done = piped(RIGHT)
    assert (done.returncode, done.stdout) == (2, "")
    assert "broken.yaml, line 7: answers must be letters of a, b; got 'c'" in done.stderr


def test_answers_under_a_name_reach_the_instructor(tmp_path: Path) -> None:
    assert piped(RIGHT, "--name", "Ada").returncode == 0
    done = piped("", "--csv", str(tmp_path / "all.csv"))
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'all.csv'}\n")
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["ticked"] for row in rows] == ["abd", "abd", "b", "abd", "ab", "d"]
    assert {row["name"] for row in rows} == {"Ada"}
    assert piped(RIGHT, "--name", " ").returncode == 2


class Terminal:
    """`genlab quiz` on a terminal of its own, typed into as a person would."""

    def __init__(self) -> None:
        self._master, theirs = os.openpty()
        # Where the tests run in a shell's background, Ctrl-C is ignored, and a child inherits that.
        quiz = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from genlab.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", quiz, "quiz"]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self.shown = ""
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # which says that the other end has gone
            while part := os.read(self._master, 4096):
                self.shown += part.decode(errors="replace")

    def wait(self, text: str) -> None:
        """Until this was shown, counted from where the last typing ended."""
        wait_until(lambda: text in self.shown)

    def type(self, text: str, *, after: str) -> None:
        self.wait(after)
        self.shown = ""
        os.write(self._master, text.encode())

    def end(self) -> int:
        code = self.process.wait()
        self._reader.join()
        os.close(self._master)
        return code


def test_on_a_terminal_one_may_err_and_try_again() -> None:
    terminal = Terminal()
    terminal.type("abd\n", after="your answer: ")
    terminal.wait("2/6")
    terminal.type("wrong\n", after="your answer: ")
    terminal.wait("The answer to question 2 must be letters of a, b, c, d; got 'wrong'.")
    terminal.type("a\n", after="your answer: ")
    for number, line in enumerate(("b\n", "abd\n", "ab\n", "d\n"), 3):
        terminal.wait(f"{number}/6")
        terminal.type(line, after="your answer: ")
    terminal.wait("Exactly right: 5 of 6. Partial credit, apart from that: 5.33 of 6.")
    terminal.type("y\n", after="Try again the ones you missed? [y/N]")
    terminal.wait("2/6")
    terminal.type("abd\n", after="your answer: ")
    assert terminal.end() == 0
    assert "Exactly right: 6 of 6." in terminal.shown


@pytest.mark.parametrize("typed", ["q\n", "\x04"])
def test_on_a_terminal_one_may_leave(typed: str) -> None:
    terminal = Terminal()
    terminal.type("abd\n", after="your answer: ")
    terminal.wait("2/6")
    terminal.type(typed, after="your answer: ")
    assert terminal.end() == 0
    assert "Exactly right: 1 of 6" in terminal.shown


def test_ctrl_c_interrupts() -> None:
    terminal = Terminal()
    terminal.wait("your answer: ")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "Exactly right" not in terminal.shown


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "genlab", "quiz"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, errors = process.communicate(RIGHT)
    assert (process.returncode, errors) == (0, "")


def test_lines_fit_the_terminal() -> None:
    lines: list[str] = []
    answers = iter(RIGHT.splitlines())
    play(QUIZ, ask=lambda _: next(answers), say=lambda text: lines.extend(text.splitlines()), patient=True, width=60)
    assert max(map(len, lines)) <= 60
