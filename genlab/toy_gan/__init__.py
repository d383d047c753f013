"""The toy GAN of 'slanted land': two kinds of sigmoid neuron, trained by the lecture's rules, one run or a great many at once.

    D(x) = σ(w·x + b)          G(z) = σ(z·v + c), pixel by pixel          z uniform in (0, 1)

A picture is four pixels, in the order top-left, top-right, bottom-left, bottom-right; white is 0, black is 1. The updates and their
order are in `genlab.kernels.toy_gan`.

- `train` makes one run in float64, step by step as the lecture does; `train_many` makes many at once in float32.
- `one_step` takes a single step apart: every number in it, and each gradient beside its finite difference.
- `phase_diagram` shows which learning rates and initial scales learn to draw faces, while it computes.
"""

from genlab.toy_gan.checks import BACKENDS, LOSSES
from genlab.toy_gan.many import Runs, train_many
from genlab.toy_gan.microscope import MicroStep, one_step
from genlab.toy_gan.networks import FACES, discriminate, generate
from genlab.toy_gan.one_run import History, Run, train
from genlab.toy_gan.phases import FACE_TOLERANCE, LEAST_SPREAD, PhaseDiagram, draws_faces, ignores_z, phase_diagram, spread

__all__ = [
    "BACKENDS",
    "FACES",
    "FACE_TOLERANCE",
    "LEAST_SPREAD",
    "LOSSES",
    "History",
    "MicroStep",
    "PhaseDiagram",
    "Run",
    "Runs",
    "discriminate",
    "draws_faces",
    "generate",
    "ignores_z",
    "one_step",
    "phase_diagram",
    "spread",
    "train",
    "train_many",
]
