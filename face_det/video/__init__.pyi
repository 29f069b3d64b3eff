from .decoded import prepare_decoding as prepare_decoding
from .frames import VideoFrame as VideoFrame
from .frames import VideoInfo as VideoInfo
from .frames import VideoReader as VideoReader
from .open import STREAM_SCHEMES as STREAM_SCHEMES
from .open import open_video as open_video
from .writer import VideoWriter as VideoWriter
