from .watcher import Watcher as Watcher
from .watcher import run_watcher as run_watcher
