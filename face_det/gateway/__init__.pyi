from .app import create_app as create_app
from .seeds.environment import apply_environment as apply_environment
from .server import run_gateway as run_gateway
