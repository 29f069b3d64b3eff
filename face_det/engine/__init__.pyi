from .engine import Engine as Engine
from .engine import EngineOptions as EngineOptions
from .engine import EngineResult as EngineResult
from .engine import FaceEngine as FaceEngine
from .engine import View as View
from .engine import build_engine as build_engine
from .engines import Engines as Engines
from .isolated_engine import build_isolated_engine as build_isolated_engine
