from .daemon import run_daemon as run_daemon
