#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples.py NAME EXAMPLES BUILT WORK: runs one example without a screen, on a tiny network.

EXAMPLES is gst/examples, BUILT where its C programs are, WORK a folder to write to.  Exits
with 77 where something that the example needs is not installed.
"""
import os
import pathlib
import subprocess
import sys

LIMIT = 120  # seconds, for a hang
SKIPPED = 77


def skip(why):
    print("skipped:", why)
    sys.exit(SKIPPED)


def need(*elements):
    for element in elements:
        if subprocess.run(["gst-inspect-1.0", element], capture_output=True).returncode:
            skip(f"no element {element}")


def run(*command, **environment):
    """What the command prints; it must succeed."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          timeout=LIMIT, env={**os.environ, **environment})
    print(done.stdout, done.stderr, sep="")
    if done.returncode:
        sys.exit(f"{command[0]} exits with {done.returncode}")
    return done.stdout


def frames_of(video):
    """Decodes a video; its frames."""
    text = run("gst-launch-1.0", "-v", "filesrc", f"location={video}", "!", "decodebin", "!",
               "fakesink", "silent=false", "sync=false")
    return text.count("chain   ***")


def check(good, what):
    if not good:
        sys.exit(f"failed: {what}")


class Examples:
    def __init__(self, examples, built, work):
        self.examples, self.built, self.work = examples, built, work
        work.mkdir(parents=True, exist_ok=True)

    def clip(self):
        """A short video that any build can make."""
        path = self.work / "clip.mkv"
        need("matroskamux", "jpegenc")
        if not path.exists():
            part = path.with_suffix(f".{os.getpid()}")
            run("gst-launch-1.0", "-q", "videotestsrc", "num-buffers=20", "pattern=ball", "!",
                "video/x-raw,width=160,height=120,framerate=25/1", "!", "jpegenc", "!",
                "matroskamux", "!", "filesink", f"location={part}")
            part.rename(path)
        return path

    def script(self, name, *arguments, **environment):
        return run("sh", self.examples / name, *arguments, "engine=cpu", **environment)

    def need_encoder(self):
        need("x264enc", "h264parse", "mp4mux", "avdec_h264")

    def file(self):
        self.need_encoder()
        out = self.work / "file.mp4"
        self.script("file.sh", self.clip(), out)
        check(frames_of(out) == 20, "20 frames")

    def camera(self):
        self.script("camera.sh", SINK="fakesink",
                    SOURCE="videotestsrc is-live=true num-buffers=20")

    def background_blur(self):
        self.need_encoder()
        need("gaussianblur")
        out = self.work / "blur.mp4"
        self.script("background.sh", self.clip(), out, "blur", "threshold=0.6")
        check(frames_of(out) >= 19, "frames")

    def background_picture(self):
        self.need_encoder()
        picture = self.work / "picture.jpg"
        run("gst-launch-1.0", "-q", "videotestsrc", "num-buffers=1", "!", "jpegenc", "!",
            "filesink", f"location={picture}")
        out = self.work / "replaced.mp4"
        self.script("background.sh", self.clip(), out, picture, SIZE="160x120")
        check(frames_of(out) >= 19, "frames")

    def two_streams(self):
        self.need_encoder()
        out = self.work / "two.mp4"
        self.script("two-streams.sh", self.clip(), self.clip(), out)
        check(frames_of(out) >= 19, "frames")

    def pull_masks(self):
        text = run(self.built / "pull-masks", self.clip(), 10, RVOSSEG_DEBUG="")
        check(text.count("0:00:0") == 10, "a line for each of 10 frames")
        check("pixels" in text and "appeared" in text, "objects are told")

    def click_to_segment(self):
        text = run(self.built / "click-to-segment", "--headless", "--frames=10",
                   "--click=80,60,3", self.clip())
        check("object 1: a disc at 80,60" in text, "the click became a mask")

    def count_objects(self):
        python = "/usr/bin/python3"
        if subprocess.run([python, "-c", "import gi; gi.require_version('Gst', '1.0')"],
                          capture_output=True).returncode:
            skip("no python3-gi")
        text = run(python, self.examples / "count-objects.py", self.clip(), 10)
        check(text.count(" px)") >= 5, "objects are counted")
        check("appeared: object" in text, "messages are read")

    def rtsp(self):
        """The server and the client example against each other."""
        python = "/usr/bin/python3"
        code = "import gi; gi.require_version('GstRtspServer', '1.0')"
        if subprocess.run([python, "-c", code], capture_output=True).returncode:
            skip("no gir1.2-gst-rtsp-server-1.0")
        self.need_encoder()
        need("rtspsrc", "rtph264pay", "rtph264depay")
        server = subprocess.Popen(
            [python, str(self.examples / "rtsp-server.py"),
             "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=10/1", "0"],
            stdout=subprocess.PIPE, text=True)
        try:
            url = server.stdout.readline().strip()
            check(url.startswith("rtsp://"), "the server is up")
            self.script("rtsp.sh", url, SINK="identity eos-after=10 ! fakesink")
        finally:
            server.terminate()
            server.wait()


def main():
    name, examples, built, work = sys.argv[1:]
    runner = Examples(pathlib.Path(examples), pathlib.Path(built), pathlib.Path(work))
    getattr(runner, name.replace("-", "_"))()


if __name__ == "__main__":
    main()
