"""The formats that photos are imported from and exported to. Each is a file and a line here."""

from __future__ import annotations

from dataclasses import dataclass

from face_det.registry import Menu, Spec


@dataclass(frozen=True, slots=True)
class FormatSpec(Spec):
    """A format: its name, its class as "module:Class", and whether photos can be exported to it."""

    exports: bool = True


FORMATS = Menu(
    FormatSpec("frigate", "face_det.exchange.frigate:FrigateFaces"),
    FormatSpec("double-take", "face_det.exchange.double_take:DoubleTakeFolders"),
    FormatSpec("compreface", "face_det.exchange.compreface:CompreFaceSubjects"),
    FormatSpec("pyzm", "face_det.exchange.pyzm:KnownFaces"),
    FormatSpec("immich", "face_det.exchange.immich:ImmichPeople", exports=False),
    FormatSpec("face-recognition", "face_det.exchange.knn_example:KnnFolders"),
    FormatSpec("tf-face-recognition", "face_det.exchange.sprites:Sprites"),
    FormatSpec("ringface", "face_det.exchange.ringface:RingfaceJson"),
)
"""The formats by their names, as `face-det import --from` takes them."""
