#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""readme_videos.py BUILD_DIR: runs README.md's pipelines on the kinds of videos that users have.

It makes short videos with ffmpeg: other depths and chroma, an alpha channel, turned, of variable
rate, with an offset. Each frame that GStreamer decodes must get its mask, except one of GStreamer
1.26.2's alpha decoder. A video whose encoder is missing is left out; without any video the test is
skipped.
"""
import os
import subprocess
import sys
import tempfile

from PIL import Image, ImageDraw

import readme

FRAMES = 8
SIZE = "320x180"
# Name, options of ffmpeg after its input, frames of the video.
VIDEOS = [
    ("hevc-10bit.mp4", "-pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=error", FRAMES),
    ("h264-444.mp4", "-pix_fmt yuv444p -c:v libx264", FRAMES),
    ("h264-422.mp4", "-pix_fmt yuv422p -c:v libx264", FRAMES),
    ("prores.mov", "-pix_fmt yuv422p10le -c:v prores_ks", FRAMES),
    ("vp9-alpha.webm", "-pix_fmt yuva420p -c:v libvpx-vp9 -deadline realtime", FRAMES),
    ("turned.mp4", "-pix_fmt yuv420p -c:v libx264", FRAMES),
    ("variable-rate.mkv", "-vf \"select='not(eq(n,2)+eq(n,3)+eq(n,6))'\" -vsync vfr "
                          "-pix_fmt yuv420p -c:v libx264", FRAMES),
    ("offset.ts", "-pix_fmt yuv420p -c:v libx264 -output_ts_offset 100 -f mpegts", FRAMES),
]


def ffmpeg(folder, arguments):
    command = "ffmpeg -v error -y " + arguments
    done = subprocess.run(command, shell=True, cwd=folder, timeout=120, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        print("left out:", command, done.stdout.strip().split("\n")[0])
    return done.returncode == 0


def make(folder, name, options):
    """Make the video of that name in folder."""
    clip = os.path.join(readme.ROOT, "data", "clips", "cup.mp4")
    if not ffmpeg(folder, f"-i {clip} -frames:v {FRAMES} -s {SIZE} {options} {name}"):
        return False
    if name.startswith("turned"): # as telephones do: stored on its side, with a mark
        os.rename(os.path.join(folder, name), os.path.join(folder, "lying.mp4"))
        return ffmpeg(folder, f"-i lying.mp4 -c copy -metadata:s:v:0 rotate=90 {name}")
    return True


def paint(path):
    """Write a mask of the first frame."""
    mask = Image.new("L", (320, 180))
    ImageDraw.Draw(mask).rectangle((100, 40, 180, 140), fill=1)
    mask.save(path)


def decoded(folder, env, name):
    """The number of frames that decodebin gives."""
    done = subprocess.run(f"gst-launch-1.0 -v filesrc location={name} ! decodebin ! "
                          "fakesink silent=false sync=false", shell=True, cwd=folder, env=env,
                          timeout=120, text=True, capture_output=True, check=False)
    return done.stdout.count("chain   ***")


def check(folder, lines, env, name, frames):
    masks = os.path.join(folder, "masks")
    subprocess.run(["rm", "-rf", masks], check=True)
    good = True
    for line in lines:
        line = readme.instead(line, name)
        good = readme.run(line, folder, env) and good
    found = len(os.listdir(masks)) if os.path.isdir(masks) else 0
    wanted = decoded(folder, env, name)
    # GStreamer 1.26.2's decoder sometimes keeps the last frame of vp9-alpha.webm.
    some = "alpha" in name
    if abs(found - wanted) > some or min(found, wanted) < frames - some:
        print(f"FAILED: {name} has {frames} frames, decodes to {wanted}, and got {found} masks")
        good = False
    return good


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        env = readme.environment(sys.argv[1], folder)
        if not env:
            return 77
        small = os.path.join(os.path.abspath(sys.argv[1]), "tests", "models", "r18.safetensors")
        if os.path.exists(small):  # any network will do here
            env["RVOS_MODEL"] = small
        lines = [line for line in readme.commands() if "filesrc" in line]
        paint(os.path.join(folder, "FIRST.png"))
        made = [(name, frames) for name, options, frames in VIDEOS
                if make(folder, name, options)]
        good = len(lines) >= 3
        for name, frames in made:
            good = check(folder, lines, env, name, frames) and good
    if not made:
        print("skipped: ffmpeg can make none of the videos here")
        return 77
    print(f"{len(made)} of {len(VIDEOS)} videos, {len(lines)} pipelines each")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
