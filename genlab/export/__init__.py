"""A run, handed on: as a Python script that does it again, its records for other programs (`records`), its networks as ONNX (`onnx`)."""

from genlab.export.training_script import script

__all__ = ["script"]
