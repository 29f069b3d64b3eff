"""How faces are followed: how often and how closely is searched, and when a track ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackingOptions:
    """How faces are followed.

    - `exhaustive`: search every frame for faces. Otherwise most frames are skipped: where faces are in
      between is predicted.
    - `search_from_px`: faces from this width on are found; smaller ones can hardly be recognised.
    - `coarse_from_px`: between the searches for all faces, only those from this width on are searched for,
      and those that are being followed.
    - `full_every_s`, `search_every_s`: seconds between searches for all faces, and between coarse ones.
    - `lost_after_s`: a track that is not seen for so many seconds has ended.
    - `min_quality`: a track whose best face has a lower quality (`Face.quality`) gets no name.
    - `thumbnail_px`: the longest side of the thumbnails of each track's best faces; 0 makes none.
    """

    exhaustive: bool = False
    search_from_px: float = 24.0
    coarse_from_px: float = 48.0
    full_every_s: float = 1.0
    search_every_s: float = 0.2
    lost_after_s: float = 2.0
    min_quality: float = 0.1
    thumbnail_px: int = 0
