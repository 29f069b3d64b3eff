"""The settings in `video`."""

from __future__ import annotations

from pydantic import BaseModel

from face_det.config.fields import STRICT, integer


class VideoSettings(BaseModel):
    """The settings in `video`: how much of a video is looked at; they are Ringface's, by default without
    limits."""

    model_config = STRICT

    parallelism: int = integer(
        0, 0, 256, "How many threads each network uses for a video; 0 means one for each processor."
    )
    each_frame: int = integer(
        1, 1, 100_000, "Only every n-th frame is looked at. 1 is all: what can be skipped is skipped anyway."
    )
    min_frames: int = integer(
        0, 0, 10**9, "Of so many frames at the start each is looked at, whatever eachFrame says."
    )
    max_frames: int = integer(
        0, 0, 10**9, "Nothing is looked at behind so many frames of the video; 0 means no limit."
    )
    stop_after_empty_frames: int = integer(
        0,
        0,
        10**9,
        "Once somebody was seen, the rest is not looked at if so many frames in a row show nobody. 0 means "
        "that all is.",
    )
    min_thumbnail_size_in_px: int = integer(
        0, 0, 100_000, "Strangers whose faces are all narrower or shorter are not reported."
    )
