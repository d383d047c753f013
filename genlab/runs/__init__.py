"""A run is a folder: the one format that library, command line and dashboard share. ARCHITECTURE.md says what each file holds.

`run` reads one (and holds its lock), `reader` says what its files must look like, `listing` finds runs, `wishes` are what a watcher may
write, `tensors` and `weights` are its numbers and the models made of them, `files` writes in one instant.
Nothing here knows how to train; nothing here is pickled. torch loads only for weights, so that listing runs stays quick.
"""

from genlab.runs.files import clear_leftovers, write_aside
from genlab.runs.listing import list_runs, new_run_path, open_run, pretrained_path, remove_run, runs_folder
from genlab.runs.run import Run, State, is_run, write_config
from genlab.runs.tensors import read_header, read_tensors, save_tensors
from genlab.runs.weights import load_model, load_painter, save_model
from genlab.runs.wishes import request_learning_rate, take_learning_rate, write_label

__all__ = [
    "Run",
    "State",
    "clear_leftovers",
    "is_run",
    "list_runs",
    "load_model",
    "load_painter",
    "new_run_path",
    "open_run",
    "pretrained_path",
    "read_header",
    "read_tensors",
    "remove_run",
    "request_learning_rate",
    "runs_folder",
    "save_model",
    "save_tensors",
    "take_learning_rate",
    "write_aside",
    "write_config",
    "write_label",
]
