"""Real images with integer levels: bundled sets, MNIST, and anyone's own files.

``load_dataset`` is the only door. Nothing is scaled, cropped or converted without being asked for and recorded.
"""

from genlab.datasets.catalogue import DATASETS, load_dataset
from genlab.datasets.dataset import Dataset, Split

__all__ = ["DATASETS", "Dataset", "Split", "load_dataset"]
