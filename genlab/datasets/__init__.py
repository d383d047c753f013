"""Real images with integer levels, or points: bundled sets, MNIST, and anyone's own files and arrays.

``load_dataset`` (`catalogue`) is the only door. Nothing is scaled, cropped or converted without being asked for and recorded. A reader
(`bundled`, `mnist`, `idx`, `npz`, `image_folder`, `arrays`) makes a `source.Source`; `dataset.build` makes splits and levels of it. What
strangers' files may be is decided in `files`, `npy` and `split_names`. `picture` and `photograph` read one uploaded picture each.
"""

from genlab.datasets.catalogue import DATASETS, load_dataset
from genlab.datasets.dataset import Dataset, Split

__all__ = ["DATASETS", "Dataset", "Split", "load_dataset"]
