from .lfw import FetchResult as FetchResult
from .lfw import download_lfw as download_lfw
from .lfw import fetch_strangers as fetch_strangers
from .lfw import lfw_home as lfw_home
