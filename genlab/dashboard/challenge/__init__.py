"""The parts of "Real or generated?": `game` is a session's, `play` a round, `board` who did how, `door` guards against generators."""
