#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames a second of the element rvosseg on a camera's frames, from buffer to buffer.

    element.py BUILD [--precision fp32,bf16] [--size 1920x1080] [--format NV12] [NAME=VALUE ...]

The shipped clip is decoded, scaled and converted once and kept in memory. Each frame is pushed into
`appsrc ! rvosseg ! appsink` and awaited. The precisions take turns frame by frame, so other
programs on the machine slow all down alike. NAME=VALUE sets a property of the element; defaults are
mode=zero-shot, objects=5 and late-policy=process. The table has, for each precision:

    frames/s, ms  a whole frame, its median
    engine        the part in librvos before drawing: resize, network, labels; by the element's stats
    network       the engine on frames of the network's size with output=none: no resize, few labels
    CPU ms        CPU time of all threads, for both sizes: the least of all frames, which other
                  programs on the machine hardly change

The rest, which is no network, is resizing, larger labels, drawing and GStreamer. --demo prints
frames/s of data/demo.sh, too, which decodes and encodes.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from turns import ROOT, Side, in_turn, is_quiet, serve

PIPELINE = ("appsrc name=source format=time caps={caps} ! rvosseg name=rvosseg {properties} ! "
            "appsink name=sink sync=false")
PROPERTIES = ("mode=zero-shot", "objects=5", "late-policy=process")
NETWORK = "448x256"  # the size that the shipped model sees
RATE = 30


def caps_of(a, size):
    width, height = size.split("x")
    return f"video/x-raw,format={a.format},width={width},height={height}"


def frames_of_clip(a, size, folder):
    """The clip's first frames in a file, one after another."""
    path = pathlib.Path(folder) / f"{size}.raw"
    subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={ROOT}/data/clips/cup.mp4", "!",
                    "decodebin", "!", "videoconvert", "!", "videoscale", "!", caps_of(a, size), "!",
                    "identity", f"eos-after={a.count + 1}", "!", "filesink", f"location={path}"],
                   check=True)
    return path


# ---- the program that runs frames -------------------------------------------------------------

class Pipeline:
    def __init__(self, a, path):
        import gi
        gi.require_version("Gst", "1.0")
        gi.require_version("GstVideo", "1.0")
        from gi.repository import Gst, GstVideo

        Gst.init(None)
        self.gst, data = Gst, path.read_bytes()
        caps = Gst.Caps.from_string(caps_of(a, a.size))
        frame = GstVideo.VideoInfo.new_from_caps(caps).size
        there = [data[at:at + frame] for at in range(0, len(data), frame)]
        self.frames = there + there[-2:0:-1]  # and back, so that the video has no cut
        self.pipeline = Gst.parse_launch(PIPELINE.format(
            caps=f"{caps_of(a, a.size)},framerate={RATE}/1", properties=" ".join([*PROPERTIES, *a.properties])))
        self.source, self.element, self.sink = map(self.pipeline.get_by_name,
                                                   ("source", "rvosseg", "sink"))
        self.pipeline.set_state(Gst.State.PLAYING)
        self.count = 0
        self.run()  # starts the element

    def run(self):
        """Milliseconds of the engine, of CPU time, and of the whole frame."""
        Gst = self.gst
        # A buffer of its own, which may be written to, as cameras give.
        buffer = Gst.Buffer.new_wrapped(self.frames[self.count % len(self.frames)]).copy_deep()
        buffer.pts = self.count * Gst.SECOND // RATE
        buffer.duration = Gst.SECOND // RATE
        self.count += 1
        begin, cpu = time.perf_counter(), time.process_time()
        self.source.emit("push-buffer", buffer)
        if not self.sink.emit("pull-sample"):
            raise RuntimeError(self.pipeline.bus.pop_filtered(self.gst.MessageType.ERROR))
        cpu, whole = time.process_time() - cpu, time.perf_counter() - begin
        engine = self.element.get_property("stats").get_value("inference-ns-last")
        return engine / 1e6, 1e3 * cpu, 1e3 * whole

    def about(self):
        stats = self.element.get_property("stats")
        return f"{stats.get_value('library')}, {stats.get_value('isa')}"


def answer(a):
    pipeline = Pipeline(a, a.serve)
    serve(pipeline.about(), pipeline.run, lambda: pipeline.element.emit("reset"))


# ---- the table ----------------------------------------------------------------------------------

class Element(Side):
    """A pipeline in a process of its own. engine: milliseconds, like times."""

    def __init__(self, a, precision, size, path):
        super().__init__(f"{precision} {size}", [
            sys.executable, __file__, a.build, "--serve", path, "--size", size, "--format",
            a.format, *a.properties, f"precision={precision}", f"n-threads={a.threads}",
            *(["output=none"] if size == NETWORK else [])])
        self.precision, self.engine, self.own_cpu = precision, [], []

    def frame(self, counts):
        super().frame(counts)
        if counts:
            self.engine.append(self.answer[0])
            self.own_cpu.append(self.answer[1])


def measure(a):
    with tempfile.TemporaryDirectory() as folder:
        paths = {size: frames_of_clip(a, size, folder) for size in {a.size, NETWORK}}
        pairs = [[Element(a, p, size, paths[size]) for size in (a.size, NETWORK)]
                 for p in a.precision.split(",")]
        in_turn([side for pair in pairs for side in pair], a.rounds, 5)
    return pairs


def table(a, pairs):
    print(f"\n{a.size} {a.format}, {' '.join([*PROPERTIES, *a.properties])}, {a.threads} threads, "
          f"{a.rounds} frames in turn; {pairs[0][0].about}\n")
    print("| precision | frames/s | ms | engine | network | network's share | CPU ms | CPU ms of "
          "the network | its share |\n|---|---|---|---|---|---|---|---|---|")
    for camera, small in pairs:
        whole, network = camera.median, statistics.median(small.engine)
        cpu, network_cpu = min(camera.own_cpu), min(small.own_cpu)
        print(f"| {camera.precision} | {1e3 / whole:.1f} | {whole:.1f} | "
              f"{statistics.median(camera.engine):.1f} | {network:.1f} | {network / whole:.0%} | "
              f"{cpu:.1f} | {network_cpu:.1f} | {network_cpu / cpu:.0%} |")
    sys.stdout.flush()


def demo(a):
    """Frames a second of data/demo.sh, as it prints them."""
    for precision in a.precision.split(","):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                ["sh", ROOT / "data" / "demo.sh", "--no-install", "--output", f"{folder}/o.mp4",
                 f"precision={precision}"], text=True, capture_output=True,
                env={**os.environ, "RVOS_BUILD_DIR": str(a.build)})
        lines = [line for line in done.stdout.splitlines() if "frames/s, " in line]
        print(f"demo.sh, {precision}: {lines[0] if lines else done.stderr.strip()}")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("properties", nargs="*", metavar="NAME=VALUE")
    p.add_argument("--precision", default="fp32,bf16,int16,int8", help="list")
    p.add_argument("--size", default="1920x1080")
    p.add_argument("--format", default="NV12")
    p.add_argument("--count", type=int, default=20, help="of frames in memory")
    p.add_argument("--rounds", type=int, default=60)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--demo", action="store_true", help="data/demo.sh, too")
    p.add_argument("--anyway", action="store_true", help="measure on a busy machine, too")
    p.add_argument("--serve", type=pathlib.Path, metavar="FRAMES", help=argparse.SUPPRESS)
    a = p.parse_intermixed_args()
    a.build = a.build.resolve()
    os.environ["GST_PLUGIN_PATH"] = str(a.build / "gst")
    os.environ["GST_REGISTRY"] = str(a.build / "bench-registry.bin")
    if a.serve:
        answer(a)
        return 0
    if not a.anyway and not is_quiet():
        print("not quiet: no measurement")
        return 1
    table(a, measure(a))
    if a.demo:
        demo(a)
    return 0


if __name__ == "__main__":
    sys.exit(main())
