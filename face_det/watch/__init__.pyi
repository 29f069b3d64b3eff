from .views import View as View
from .views import collect_views as collect_views
from .watcher import Watcher as Watcher
from .watcher import run_watcher as run_watcher
