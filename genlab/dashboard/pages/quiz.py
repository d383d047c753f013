"""The quiz: the lecture's reflection questions, what each option is worth, and where it can be seen to happen."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from genlab import quiz_store
from genlab.dashboard import instructor, keeping
from genlab.dashboard.components.letters import letters
from genlab.dashboard.frame import frame, say
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.plain import plain
from genlab.dashboard.quiz_game import Game
from genlab.errors import GenlabError
from genlab.lecture.quiz import OWN_FILE, VARIABLE, VERDICTS, Link, Mark, Question, Quiz, load

WIDTH = 820


def page() -> None:
    """The page from top to bottom."""
    try:
        quiz = load()
    except GenlabError as error:
        broken(error)
        return
    with frame(plain(quiz.title), width=WIDTH):
        game = game_of(quiz)
        if game.position is None:
            review(game)
        else:
            question(game, game.position)
        keep(game)
        for_the_instructor(quiz)


def broken(error: GenlabError) -> None:
    """What to do about a file of questions that cannot be read."""
    with frame("The quiz", width=WIDTH):
        say(st.error, "{}", error)
        st.markdown(
            f"`{VARIABLE}` names this file. Mend the line, or start the dashboard without the variable for the lecture's own questions."
        )
        st.button("Read the file again", type="primary")


def game_of(quiz: Quiz) -> Game:
    """This session's game; another file of questions begins another one."""
    game: Game = st.session_state.setdefault(f"quiz {quiz.key}", Game(quiz))
    return game


def question(game: Game, position: int) -> None:
    """The question at hand: to be answered, or judged."""
    asked = game.quiz.questions[position]
    done, count = game.progress
    st.progress(done / count, text=f"Question {done + (not game.judged)} of {count}")
    with st.container(border=True):
        st.header(plain(asked.text), anchor=False)
        if game.judged:
            judge(asked, game.quiz.mark(position, game.answers[position]))
            buttons(game, position)
            letters({}, button="next", hint="Enter goes on.")
        else:
            keys = ask(game, position, asked)
            letters(keys, button="check", hint=f"Several may be right. Keys {', '.join(keys)} tick, Enter checks.")


def ask(game: Game, position: int, asked: Question) -> dict[str, str]:
    """The options, to be ticked; returns the widget keys of their checkboxes."""
    # A new key for each round: what was ticked the last time is not ticked already.
    keys = {letter: f"tick_{game.round}_{position}_{letter}" for letter in asked.options}
    with st.form(f"question {game.round} {position}", border=False):
        for letter, text in asked.options.items():
            st.checkbox(f"{letter}. {plain(text)}", key=keys[letter])
        with st.container(horizontal=True):
            pressed = st.form_submit_button("Check", key="check", type="primary", on_click=check, args=(game, position, keys))
            st.form_submit_button("Skip", on_click=game.go_on, args=(position,))
            if game.can_go_back:
                st.form_submit_button("Back", on_click=game.go_back, args=(position,))
    if pressed:
        # A check with something ticked would have led to the verdict.
        st.warning("Tick at least one letter, or skip the question.")
    return keys


def check(game: Game, position: int, keys: Mapping[str, str]) -> None:
    """Answer with what is ticked, if anything is; the second of two hurried presses changes nothing."""
    ticked = {letter for letter, key in keys.items() if st.session_state.get(key)}
    if ticked and game.position == position and not game.judged:
        game.answer(ticked)


def judge(asked: Question, mark: Mark) -> None:
    """What an answer was worth, option by option, and where it can be seen to happen."""
    key = ", ".join(sorted(asked.answers))
    if mark.exact:
        st.success(f"**Exactly right:** {key}.")
    elif mark.ticked:
        st.error(f"**Not exactly:** the key is {key}. Partial credit {mark.partial:.2f}, which does not count as right.")
    else:
        st.warning(f"**Not answered:** the key is {key}.")
    for letter, text in asked.options.items():
        verdict = asked.verdict(letter, mark.ticked)
        sign = ":green[✓]" if verdict in {"right", "left"} else ":red[✗]"
        st.markdown(f"{sign} **{letter}.** {plain(text)}  \n*{VERDICTS[verdict]}* {plain(asked.feedback.get(letter, ''))}")
    if asked.argued:
        st.info(f"**This key can be argued with.** {plain(asked.argued)}")
    for link in asked.links:
        see(link)


def see(link: Link) -> None:
    """A way to the page where it happens; words alone if a replaced file names a page that is not here."""
    if link.page in PAGES:
        st.page_link(PAGES[link.page].file, label=f"See it happen: {plain(link.words)} →", query_params=link.at or None)
    else:
        st.caption(f"{plain(link.words)} (on the page {plain(link.page)}, which this dashboard does not have)")


def buttons(game: Game, position: int) -> None:
    """The way on, and back."""
    done, count = game.progress
    with st.container(horizontal=True):
        label = "To the review" if done == count else "Next question"
        st.button(label, key="next", type="primary", on_click=game.go_on, args=(position,))
        if game.can_go_back:
            st.button("Back", on_click=game.go_back, args=(position,))


def review(game: Game) -> None:
    """What came of it, question by question, and the missed ones again."""
    result, count = game.result, len(game.quiz.questions)
    with st.container(horizontal=True, gap="large"):
        st.metric("exactly right", f"{result.exact} of {count}", width="content")
        st.metric("partial credit, apart from that", f"{result.partial:.2f} of {count}", width="content")
    st.caption(
        "A question scores only if exactly the right letters are ticked. Its partial credit is (right ticks − wrong ticks) / right "
        "letters, and never below 0."
    )
    with st.container(horizontal=True):
        if missed := len(result.missed):
            label = f"Try again the {missed} missed" if missed > 1 else "Try again the one missed"
            st.button(label, key="again", type="primary", on_click=game.try_missed)
        st.button("Start again", on_click=game.start_again)
    if missed:
        letters({}, button="again", hint="Enter tries again.")
    for number, (asked, mark) in enumerate(zip(game.quiz.questions, result.marks, strict=True), 1):
        with st.expander(f"{'✓' if mark.exact else '✗'} **{number}.** {plain(asked.text)}"):
            judge(asked, mark)


def keep(game: Game) -> None:
    """Answers outlive this browser session under a name, if one is given."""
    words = (
        "Without a name they are gone when this page is reloaded. With one they are kept on this computer: whoever types the same name "
        "goes on from there, and whoever runs this dashboard can read them."
    )
    keeping.keep(game, quiz_store, what="answers", words=words, key="quiz name", file="my-quiz-answers.csv")


def for_the_instructor(quiz: Quiz) -> None:
    """Other questions, and everybody's answers."""
    with st.expander("For the instructor"):
        file = "the lecture's own, slides 64–65" if quiz.file == OWN_FILE else plain(str(quiz.file))
        st.markdown(
            f"These questions are {file}. `{VARIABLE}=file.yaml streamlit run app.py` asks yours instead; `genlab/lecture/quiz.yaml` shows "
            "the form, and a mistake is told with its line."
        )
        try:
            if instructor.opened():
                everybodys_answers()
        except GenlabError as error:
            say(st.warning, "{}", error)


def everybodys_answers() -> None:
    """All that was kept, as a file."""
    table = quiz_store.export_csv()
    if answers := keeping.rows(table):
        st.download_button(f"All answers that were kept, as CSV ({answers})", table, "quiz-answers.csv", "text/csv", on_click="ignore")
    else:
        st.caption("No answer has been kept under a name yet; once there are some, they can be downloaded here as CSV.")


page()
