from .programs import Program as Program
from .programs import run_programs as run_programs
