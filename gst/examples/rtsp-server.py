#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Serves a segmented stream at rtsp://HOST:PORT/rvosseg.

SOURCE is the part before rvosseg in a gst-launch line, such as v4l2src or
"rtspsrc location=rtsp://camera/ ! decodebin". Needs python3-gi and
gir1.2-gst-rtsp-server-1.0.
"""
import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def port(text):
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError
    return number


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("source", metavar="SOURCE")
    p.add_argument("port", nargs="?", type=port, default=8554, metavar="PORT",
                   help="0: any that is free; default: 8554")
    options = p.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_service(str(options.port))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)  # one network for all viewers
    launch = (f"{options.source} ! videoconvert ! queue leaky=downstream max-size-buffers=1 ! "
              "rvosseg max-inference-rate=10/1 ! queue ! videoconvert ! "
              "video/x-raw,format=I420 ! x264enc tune=zerolatency ! rtph264pay name=pay0 pt=96")
    try:
        Gst.parse_launch(launch)  # shows a wrong SOURCE at once, not to the first viewer
    except GLib.Error as e:
        sys.exit(f"rtsp-server.py: {e.message}")
    factory.set_launch(f"( {launch} )")
    server.get_mount_points().add_factory("/rvosseg", factory)
    if not server.attach(None):
        sys.exit(f"rtsp-server.py: port {options.port} is taken or not allowed")
    print(f"rtsp://127.0.0.1:{server.get_bound_port()}/rvosseg", flush=True)
    try:
        GLib.MainLoop().run()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
