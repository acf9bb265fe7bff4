#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a live stream through rvosseg for hours: memory must not grow, and nothing may fail.

    soak.py [--minutes 60] [--model FILE] [--size 640x360] [--fps 30]

The source is a live test source. Both pads are linked to clocked sinks that report lateness. Every
few seconds the test changes what an application may change: output, palette, a mask pad that is
released and requested again, reset, disabled, another frame size. Once a minute it prints frames,
inferences, late frames and resident memory. At the end it prints the growth since the first fifth
of the time, and PASS or FAIL (more than 2 % and 8 MiB, a bus error, or no frames for 10 s).
"""
import argparse
import itertools
import os
import sys
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

DISTURB_SECONDS = 7


def resident_kib():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


class Soak:
    def __init__(self, a):
        self.minutes, self.began, self.samples, self.failure = a.minutes, time.time(), [], None
        self.sizes = itertools.cycle(((a.width, a.height), (a.width // 2 + 1, a.height // 2 + 1)))
        self.fps, self.frames, self.frames_seen_at = a.fps, 0, time.time()
        self.pipeline = Gst.parse_launch(
            f"videotestsrc is-live=true pattern=ball ! capsfilter name=caps ! "
            f"rvosseg name=seg {'model=' + a.model if a.model else ''} "
            f"seg.src ! queue ! fakesink name=sink sync=true qos=true signal-handoffs=true")
        self.seg = self.pipeline.get_by_name("seg")
        self.caps = self.pipeline.get_by_name("caps")
        self.pipeline.get_by_name("sink").connect("handoff", self.on_frame)
        self.mask = None
        self.changes = itertools.cycle((
            self.toggle_mask, lambda: self.seg.set_property("output", "mask"),
            lambda: self.seg.emit("reset"), self.toggle_mask,
            lambda: self.seg.set_property("output", "overlay"), self.resize,
            lambda: self.seg.set_property("enabled", False),
            lambda: self.seg.set_property("enabled", True)))
        self.resize()
        self.loop = GLib.MainLoop()

    def on_frame(self, *_):
        self.frames += 1
        self.frames_seen_at = time.time()

    def resize(self):
        w, h = next(self.sizes)
        self.caps.set_property("caps", Gst.Caps.from_string(
            f"video/x-raw,format=NV12,width={w},height={h},framerate={self.fps}/1"))

    def toggle_mask(self):
        if self.mask is None:
            queue, sink = (Gst.ElementFactory.make(n) for n in ("queue", "fakesink"))
            sink.set_property("sync", True)
            sink.set_property("async", False)
            for e in (queue, sink):
                self.pipeline.add(e)
                e.sync_state_with_parent()
            queue.link(sink)
            pad = self.seg.request_pad_simple("mask")
            pad.link(queue.get_static_pad("sink"))
            self.mask = pad, queue, sink
        else:
            pad, queue, sink = self.mask
            self.seg.release_request_pad(pad)
            for e in (queue, sink):
                e.set_state(Gst.State.NULL)
                self.pipeline.remove(e)
            self.mask = None

    def disturb(self):
        next(self.changes)()
        return True

    def look(self):
        stats = self.seg.get_property("stats")
        minutes = (time.time() - self.began) / 60
        self.samples.append(resident_kib())
        print(f"{minutes:6.1f} min  frames {self.frames}  inferred {stats.get_value('inferred')}  "
              f"late {stats.get_value('reused-late')}  resets {stats.get_value('resets')}  "
              f"resident {self.samples[-1]} KiB", flush=True)
        if time.time() - self.frames_seen_at > 10:
            self.fail("no frame for 10 seconds")
        elif minutes >= self.minutes:
            self.loop.quit()
        return True

    def fail(self, why):
        self.failure = why
        self.loop.quit()

    def run(self):
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, m: self.fail(m.parse_error()[0].message))
        GLib.timeout_add_seconds(DISTURB_SECONDS, self.disturb)
        GLib.timeout_add_seconds(max(1, min(60, int(self.minutes * 60 / 10))), self.look)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)
        settled = self.samples[len(self.samples) // 5:]
        growth = settled[-1] - settled[0] if settled else 0
        if not self.failure and growth > 8 * 1024 and growth > 0.02 * settled[0]:
            self.failure = "memory grows"
        print(f"growth after the first fifth: {growth} KiB")
        print(f"FAIL: {self.failure}" if self.failure else "PASS")
        return 1 if self.failure else 0


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--model")
    p.add_argument("--size", default="640x360")
    p.add_argument("--fps", type=int, default=30)
    a = p.parse_args()
    a.width, a.height = map(int, a.size.split("x"))
    Gst.init(None)
    return Soak(a).run()


if __name__ == "__main__":
    sys.exit(main())
