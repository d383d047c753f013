"""The lecture as data: its published numbers, and its quiz; no user interface."""

from genlab.lecture import quiz
from genlab.lecture.published import Published, published

__all__ = ["Published", "published", "quiz"]
