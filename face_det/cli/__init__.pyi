from .main import COMMANDS as COMMANDS
from .main import root_command as root_command
from .main import run_cli as run_cli
