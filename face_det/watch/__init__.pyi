from .live import BestFace as BestFace
from .live import FaceFollower as FaceFollower
from .live import describe_faces as describe_faces
from .views import View as View
from .views import collect_views as collect_views
from .watcher import Watcher as Watcher
from .watcher import run_watcher as run_watcher
