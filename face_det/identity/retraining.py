"""training.train and training.refit for one embedder of a gallery."""

from face_det.identity.training import refit as refit
from face_det.identity.training import train as train
