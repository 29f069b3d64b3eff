from .budget import Budget as Budget
from .engine import Engine as Engine
from .engine import EngineOptions as EngineOptions
from .engine import Timings as Timings
from .engine import View as View
from .engine import build_engine as build_engine
from .engines import Engines as Engines
from .isolated import build_isolated_engine as build_isolated_engine
