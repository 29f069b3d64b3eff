from .cameras import Cameras as Cameras
from .live import read_live as read_live
from .sources import DEFAULT_FPS as DEFAULT_FPS
from .sources import CameraPicture as CameraPicture
from .sources import CameraSource as CameraSource
