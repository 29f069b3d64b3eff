from .cameras import Cameras as Cameras
from .live import read_live as read_live
from .sources import DEFAULT_FPS as DEFAULT_FPS
from .sources import MAX_PIXELS as MAX_PIXELS
from .sources import CameraPicture as CameraPicture
from .sources import CameraSource as CameraSource
from .sources import choose_source as choose_source
from .sources import configured_sources as configured_sources
