"""The lecture's numbers as data; no user interface."""

from genlab.lecture.published import Published, published

__all__ = ["Published", "published"]
