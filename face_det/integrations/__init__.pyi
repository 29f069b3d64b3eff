from .consumer import Daemon as Daemon
from .consumer import EventConsumer as EventConsumer
from .mqtt.connection import Broker as Broker
from .mqtt.connection import BrokerConnection as BrokerConnection
from .mqtt.connection import Message as Message
from .mqtt.connection import TopicRefused as TopicRefused
