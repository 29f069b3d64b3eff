"""A real RTSP server, GStreamer's, for Debian's own Python: `rtsp_server.py PICTURES [CERTIFICATE...]`.

It prints its port, and then one with TLS for each certificate, a file with its key. Each path plays the
pictures in turn: /jpeg, /h264, /vp8, /locked (user `me`, password `s3cret`), and /sizes, whose picture
becomes half as large after a second. `stop` on stdin ends the sessions,
and `switch` as well, after which /h264 has another codec.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtspServer  # noqa: E402

CODECS = {
    "jpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
    "h264": "openh264enc gop-size=5 ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "vp8": "vp8enc deadline=1 keyframe-max-dist=5 ! rtpvp8pay name=pay0 pt=96",
}


AVC = []
"""The factories of H.264."""


class Changing(GstRtspServer.RTSPMediaFactory):
    """JPEG over RTP says each picture's size, so it may change in the middle."""

    def __init__(self, source):
        super().__init__()
        self._source = source
        self.set_shared(False)

    def do_create_element(self, url):
        text = f"( {self._source} ! videoscale ! capsfilter name=size caps=video/x-raw,width=640,height=480"
        made = Gst.parse_launch(f"{text} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )")
        GLib.timeout_add(1000, self._halve, made)
        return made

    def _halve(self, made):
        half = Gst.Caps.from_string("video/x-raw,width=320,height=240")
        made.get_by_name("size").set_property("caps", half)
        return False


def main():
    Gst.init(None)
    (pattern, *certificates), loop = sys.argv[1:], GLib.MainLoop()
    servers = [serve(pattern, certificate) for certificate in (None, *certificates)]
    print(*(server.get_bound_port() for server in servers), flush=True)

    def obey():
        for line in sys.stdin:
            if line == "switch\n":
                for factory in AVC:
                    factory.set_launch(factory.get_launch().replace(CODECS["h264"], CODECS["vp8"]))
            GLib.idle_add(end_sessions)
        GLib.idle_add(loop.quit)

    def end_sessions():
        for server in servers:
            server.client_filter(lambda *_: GstRtspServer.RTSPFilterResult.REMOVE)
        return False

    threading.Thread(target=obey, daemon=True).start()
    loop.run()


def serve(pattern, certificate):
    """A server on a free port."""
    source = (
        f"multifilesrc location={pattern} loop=true caps=image/jpeg,framerate=10/1 ! jpegdec ! videoconvert"
    )
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic("me", "s3cret"), token)
    if certificate is not None:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate))
    server.set_auth(auth)
    anyone = GstRtspServer.RTSPToken()
    anyone.set_string("media.factory.role", "anyone")
    auth.set_default_token(anyone)
    mounts = server.get_mount_points()
    for path, codec in {**CODECS, "locked": CODECS["jpeg"], "sizes": None}.items():
        if codec is None:
            factory = Changing(source)
        else:
            factory = GstRtspServer.RTSPMediaFactory()
            factory.set_launch(f"( {source} ! {codec} )")
            factory.set_shared(False)
            if path == "h264":
                AVC.append(factory)
        for role in ("user", "anyone"):
            structure = Gst.Structure.new_empty(role)
            structure.set_value("media.factory.access", True)
            structure.set_value("media.factory.construct", role == "user" or path != "locked")
            factory.add_role_from_structure(structure)
        mounts.add_factory(f"/{path}", factory)
    server.attach(None)
    return server


if __name__ == "__main__":
    main()
