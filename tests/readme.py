#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""readme.py BUILD_DIR: runs the pipelines of README.md.

It replaces only what a test machine lacks: the screen, the camera, and the reader's own files.
The clip is cut short.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INSTEAD = [
    (r"autovideosink( sync=false)?", "fakesink sync=false"),
    (r"v4l2src", "videotestsrc num-buffers=10 is-live=true ! video/x-raw,width=160,height=120"),
]


def commands():
    """The pipelines in README.md's sh blocks, with continued lines joined."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        text = f.read()
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
        for line in block.replace("\\\n", " ").split("\n"):
            if "gst-launch-1.0" in line:
                yield re.sub(r"\s+", " ", line.strip())


def instead(line, video):
    """Adapt a pipeline of README.md to this video, without screen and camera."""
    for pattern, other in [*INSTEAD, (r"data/clips/cup\.mp4|VIDEO\.mp4", video)]:
        line = re.sub(pattern, other, line)
    return line


def environment(build, folder):
    """The environment for GStreamer; None, with a message, if pipelines cannot run here."""
    plugin = os.path.join(os.path.abspath(build), "gst")
    if not os.path.exists(os.path.join(plugin, "libgstrvosseg.so")):
        print("skipped: the element is not in this build")
        return None
    if subprocess.run(["gst-inspect-1.0", "--exists", "x264enc"], check=False).returncode:
        print("skipped: no x264enc here")
        return None
    return dict(os.environ, GST_PLUGIN_PATH=plugin,
                GST_REGISTRY=os.path.join(folder, "registry.bin"))


def run(command, folder, env):
    done = subprocess.run(command, shell=True, cwd=folder, env=env, timeout=300, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    good = done.returncode == 0 and "ERROR" not in done.stdout
    print(("ok: " if good else "FAILED: ") + command)
    if not good:
        print(done.stdout)
    return good


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    lines = list(commands())
    with tempfile.TemporaryDirectory() as folder:
        env = environment(sys.argv[1], folder)
        if not env:
            return 77
        clip = os.path.join(ROOT, "data", "clips", "cup.mp4")
        good = run(f"gst-launch-1.0 -q filesrc location={clip} ! decodebin ! "
                   "identity eos-after=8 ! jpegenc ! matroskamux ! filesink location=clip.mkv",
                   folder, env)
        for line in lines:
            line = instead(line, "clip.mkv").replace("FIRST.png", "masks/00005.png")
            good = run(line, folder, env) and good
        masks = os.path.join(folder, "masks")
        found = len(os.listdir(masks)) if os.path.isdir(masks) else 0
        if len(lines) < 4 or found < 6:
            print(f"FAILED: {len(lines)} pipelines in README.md, {found} masks from them")
            good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
