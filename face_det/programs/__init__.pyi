from .programs import Program as Program
from .programs import run_programs as run_programs
from .until_stopped import run_until_stopped as run_until_stopped
