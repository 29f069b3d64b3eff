from .cameras import Cameras as Cameras
