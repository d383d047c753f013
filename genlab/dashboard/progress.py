"""What this visitor has done so far, of this session's quiz and of this browser's trainings; of other visitors nothing."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from genlab import jobs
from genlab.dashboard.quiz_game import Game
from genlab.dashboard.visitor import visitor
from genlab.errors import GenlabError
from genlab.lecture import quiz


@dataclass(frozen=True)
class Progress:
    """How far somebody has come.

    Attributes:
        answered: Questions of the quiz that were answered.
        questions: Their number.
        trained: Trainings that were asked for and have ended well.
    """

    answered: int
    questions: int
    trained: int


def progress() -> Progress:
    """This visitor's; a quiz that cannot be read has no questions."""
    try:
        found = quiz.load()
        game = st.session_state.get(f"quiz {found.key}")
        answered, questions = (len(game.answers) if isinstance(game, Game) else 0), len(found.questions)
    except GenlabError:
        answered, questions = 0, 0
    me = visitor()
    return Progress(answered, questions, sum(job.visitor == me and job.state == "finished" for job in jobs.list_jobs()))
