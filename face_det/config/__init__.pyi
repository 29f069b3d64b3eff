from .load import load_config as load_config
from .load import locate_config as locate_config
from .settings import CONFIG_KEYS as CONFIG_KEYS
from .settings import SIGHTINGS_KEYS as SIGHTINGS_KEYS
from .settings import Config as Config
from .settings import Sightings as Sightings
from .settings import describe_expected_value as describe_expected_value
from .settings import list_choices as list_choices
