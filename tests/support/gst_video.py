"""Writes a video with GStreamer, for Debian's own Python: `gst_video.py OUT ENCODER PICTURE=SECONDS...`.

ENCODER is a pipeline from pictures to a file's bytes or, if no pictures follow, from its own source. Each
picture, a PNG, is shown from so many seconds on.
"""

import sys
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

PATIENCE_S = 300


def main():
    Gst.init(None)
    out, encoder, *frames = sys.argv[1:]
    source = "appsrc name=in format=time caps=image/png,framerate=0/1 ! pngdec ! videoconvert ! "
    pipeline = Gst.parse_launch(f'{source if frames else ""}{encoder} ! filesink location="{out}"')
    pipeline.set_state(Gst.State.PLAYING)
    for frame in frames:
        path, _, seconds = frame.rpartition("=")
        buffer = Gst.Buffer.new_wrapped(Path(path).read_bytes())
        buffer.pts = round(float(seconds) * Gst.SECOND)
        pipeline.get_by_name("in").emit("push-buffer", buffer)
    if frames:
        pipeline.get_by_name("in").emit("end-of-stream")
    kinds = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(PATIENCE_S * Gst.SECOND, kinds)
    pipeline.set_state(Gst.State.NULL)
    if message is None or message.type == Gst.MessageType.ERROR:
        sys.exit(f"{message and message.parse_error()}")


if __name__ == "__main__":
    main()
