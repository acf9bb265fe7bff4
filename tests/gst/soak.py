#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""soak.py [MINUTES]: a live stream through rvosseg for an hour; memory must stay flat.

No part of the test suite: it takes its time.  A line a minute; exits with 1 on an error
message, on a stream that stops, or on memory that has grown by more than 2 % (and 4 MB)
between the end of the first tenth and the end.  GST_PLUGIN_PATH and RVOS_MODEL as usual.
"""
import sys
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

LINE = ("videotestsrc is-live=true pattern=ball motion=sweep ! "
        "video/x-raw,width=640,height=480,framerate=30/1 ! queue ! "
        "rvosseg name=r engine=cpu scene-cut=detect post-messages=all "
        "r.src ! queue ! videoconvert ! fakesink sync=true qos=true "
        "r.mask ! queue ! fakesink sync=true qos=true")


def resident_kb():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    Gst.init(None)
    pipeline = Gst.parse_launch(LINE)
    rvosseg, bus = pipeline.get_by_name("r"), pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    begin = said = time.monotonic()
    early = frames_before = messages = 0
    bad = ""
    while not bad and time.monotonic() - begin < 60 * minutes:
        message = bus.timed_pop(Gst.SECOND)
        now = time.monotonic()
        if message:
            messages += 1
            if message.type == Gst.MessageType.ERROR:
                bad = message.parse_error()[0].message
            elif message.type == Gst.MessageType.LATENCY:
                pipeline.recalculate_latency()
        if not early and now - begin > 6 * minutes:
            early = resident_kb()
        if now - said >= min(60, 6 * minutes):
            stats = rvosseg.get_property("stats")
            frames = stats.get_value("frames-in")
            print(f"{(now - begin) / 60:6.1f} min  {resident_kb()} kB  {frames} frames  "
                  f"{stats.get_value('inferred')} segmented  "
                  f"{stats.get_value('reused-late')} late  {messages} messages", flush=True)
            if frames == frames_before:
                bad = "the stream has stopped"
            said, frames_before = now, frames
    grown = resident_kb() - early
    pipeline.set_state(Gst.State.NULL)
    if not bad and grown > max(4096, 0.02 * early):
        bad = f"memory has grown by {grown} kB"
    print(bad or f"flat: {grown:+d} kB since the first tenth")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
