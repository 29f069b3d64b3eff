from .app import create_app as create_app
from .server import run_gateway as run_gateway
