"""What a small digit classifier sees: 64 features of an image, for distances that speak of digits and not of pixels.

`network` is the classifier, trained by genlab itself and kept beside it (`python -m genlab.digit_features.made` made it); `distance` is the
Fréchet distance of two sets of features. It is not FID, whose features are those of Inception on photographs (pytorch-fid#12 advises
against FID on MNIST): figures compare only with figures of these features.
"""

from genlab.digit_features.distance import frechet
from genlab.digit_features.network import FEATURES, digit_classes, digit_features

__all__ = ["FEATURES", "digit_classes", "digit_features", "frechet"]
