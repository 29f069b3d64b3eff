from .grouping import VideoPerson as VideoPerson
from .grouping import group_tracks as group_tracks
from .options import TrackingOptions as TrackingOptions
from .tracker import FaceTracker as FaceTracker
from .tracks import Track as Track
from .tracks import TrackedFace as TrackedFace
