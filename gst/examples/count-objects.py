#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the objects of each frame of a video, from its metadata.

Reads the custom meta GstRvosSegMeta of each frame, and the element's messages. Needs
python3-gi and gir1.2-gst-plugins-base-1.0; no typelib of rvosseg's own is needed.
"""
import argparse
import os
import signal
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402


def values(structure, name):
    """A value array of the meta as a list."""
    return list(structure.get_value(name) or [])


class Counter:
    def __init__(self, video, frames):
        self.loop = GLib.MainLoop()
        self.video = video
        self.left = frames
        self.seen = {}  # tracking-id: frames
        self.failed = False
        self.pipeline = Gst.parse_launch(
            "filesrc name=file ! decodebin ! videoconvert ! "
            "rvosseg name=r output=none ! fakesink name=sink sync=false")
        self.pipeline.get_by_name("file").set_property("location", video)
        pad = self.pipeline.get_by_name("r").get_static_pad("src")
        pad.add_probe(Gst.PadProbeType.BUFFER, self.on_frame)
        # Ctrl-C ends the video; what was seen so far is printed.
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGINT, self.loop.quit)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self.on_message)

    def say(self, line):
        """Print a line. An exception in a callback would not end the program."""
        try:
            if not self.failed:
                print(line, flush=True)
        except OSError as e:
            if not isinstance(e, BrokenPipeError):  # `| head` has ended
                print(f"count-objects.py: standard output: {e.strerror}", file=sys.stderr)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes it again at its end
            self.failed = True
            self.loop.quit()

    def on_frame(self, _pad, info):
        buffer = info.get_buffer()
        meta = buffer.get_custom_meta("GstRvosSegMeta")
        if meta and self.left != 0:
            s = meta.get_structure()
            objects = [f"{slot} ({area} px)" for slot, area in
                       zip(values(s, "slots"), values(s, "areas"))]
            stale = f", {s.get_value('age')} frames old" if s.get_value("stale") else ""
            known = buffer.pts != Gst.CLOCK_TIME_NONE
            time = f"{buffer.pts / Gst.SECOND:7.3f} s" if known else "  no time"
            self.say(f"{time}: {', '.join(objects) or 'nothing'}{stale}")
            for tracking_id in values(s, "tracking-ids"):
                self.seen[tracking_id] = self.seen.get(tracking_id, 0) + 1
            self.left -= 1
        if self.left == 0:
            self.loop.quit()
        return Gst.PadProbeReturn.OK

    def on_message(self, _bus, message):
        s = message.get_structure()
        if message.type == Gst.MessageType.ERROR:
            print(f"{self.video}: {message.parse_error()[0].message}", file=sys.stderr)
            self.failed = True
            self.loop.quit()
        elif message.type == Gst.MessageType.EOS:
            self.loop.quit()
        elif s and s.get_name() == "rvosseg-object":
            self.say(f"          {s.get_string('event')}: object {s.get_value('slot')}, "
                     f"tracking-id {s.get_value('tracking-id')}")

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)
        self.say(f"{len(self.seen)} objects: " + ", ".join(
            f"{key} in {n} frames" for key, n in sorted(self.seen.items())))
        return not self.failed


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("video", metavar="VIDEO")
    p.add_argument("frames", nargs="?", type=int, default=-1, metavar="FRAMES",
                   help="end after so many frames; default: all")
    options = p.parse_args()
    Gst.init(None)
    try:
        counter = Counter(options.video, options.frames)
    except GLib.Error as e:  # such as: no element "rvosseg"
        sys.exit(f"count-objects.py: {e.message}")
    sys.exit(0 if counter.run() else 1)


if __name__ == "__main__":
    main()
