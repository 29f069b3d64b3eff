from .specs import DETECTORS as DETECTORS
