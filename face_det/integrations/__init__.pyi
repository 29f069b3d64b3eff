from .consumer import Daemon as Daemon
from .consumer import EventConsumer as EventConsumer
