#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples.py NAME EXAMPLES BUILT WORK: runs one example without a screen, on a tiny network.

EXAMPLES is gst/examples, BUILT where its C programs are, WORK a folder to write to.  Exits
with 77 where something that the example needs is not installed.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from testing import PYTHON, need_code, need_elements as need, skip  # noqa: E402

LIMIT = 120  # seconds, for a hang


def run(*command, **environment):
    """Run a command, which must succeed; return its output."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          timeout=LIMIT, env={**os.environ, **environment})
    print(done.stdout, done.stderr, sep="")
    if done.returncode:
        sys.exit(f"{command[0]} exits with {done.returncode}")
    return done.stdout


def frames_of(video):
    """Decode a video; return its number of frames."""
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
        """Make a short video with basic elements only."""
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

    def virtual_camera(self, background, source=None):
        """Run the camera at 320x240; return its frames, each a function from x, y to the RGB.

        Without a source it shows the shipped clip by the shipped model.
        """
        need("gaussianblur", "avdec_h264")
        root = self.examples.parent.parent
        out = self.work / f"camera-{background.replace('/', '-')}.rgb"
        clip = f"filesrc location={root}/data/clips/cup.mp4 ! decodebin ! identity eos-after=3"
        self.script("virtual-camera.sh", background, "late-policy=process", SIZE="320x240",
                    RVOS_MODEL=str(root / "data/models/rvos-resnet18-h128.safetensors"),
                    SOURCE=source or clip,
                    SINK=f"videoconvert ! video/x-raw,format=RGB ! filesink location={out}")
        video, size = out.read_bytes(), 320 * 240 * 3
        check(video and len(video) % size == 0, "whole frames")
        return [lambda x, y, start=start: video[start + (y * 320 + x) * 3:][:3]
                for start in range(0, len(video), size)]

    def virtual_camera_blur(self):
        pixel = self.virtual_camera("blur")[-1]  # its queue may drop the first ones
        check(max(pixel(170, 125)) < 60, "the cup is as it was, dark")
        check(min(pixel(60, 125)) > 170, "the wall is as it was, bright")
        check(sum(pixel(60, 125)) - sum(pixel(148, 125)) > 60, "the wall near it is blurred")
        late = self.virtual_camera("blur", "videotestsrc pattern=white num-buffers=3 "
                                           "timestamp-offset=100000000")
        check(min(late[0](60, 125)) > 200, "no other picture comes before a late first frame")
        self.script("virtual-camera.sh", "blur", SIZE="160x120", SINK="fakesink",
                    SOURCE="videotestsrc is-live=true num-buffers=20")

    def virtual_camera_picture(self):
        picture = self.work / "red.jpg"
        run("gst-launch-1.0", "-q", "videotestsrc", "num-buffers=1", "pattern=red", "!",
            "jpegenc", "!", "filesink", f"location={picture}")
        pixel = self.virtual_camera(str(picture))[-1]
        check(max(pixel(170, 125)) < 60, "the cup is as it was, dark")
        red, green, blue = pixel(60, 125)
        check(red > 180 and green < 60 and blue < 60, "the picture is instead of the wall")
        for arguments, words in [([str(self.work / "none")], "no such picture"), ([], "usage"),
                                 (["blur"], "modprobe v4l2loopback")]:
            done = subprocess.run(["sh", self.examples / "virtual-camera.sh", *arguments],
                                  capture_output=True, text=True, timeout=LIMIT,
                                  env={**os.environ, "OUT": "/nowhere/video"})
            check(done.returncode and words in done.stderr, words)

    def virtual_camera_pipewire(self):
        """With a PipeWire of its own, and a program that reads the camera."""
        for tool in ("dbus-run-session", "pipewire", "wireplumber", "pw-dump"):
            if not shutil.which(tool):
                skip(f"no {tool}")
        need("pipewiresink", "gaussianblur")
        script = """
            pipewire >/dev/null 2>&1 & p=$!
            until [ -S "$XDG_RUNTIME_DIR/pipewire-0" ]; do sleep 0.1; done
            wireplumber >/dev/null 2>&1 & w=$!
            for try in 1 2 3; do # the first frame may not be there yet
                sh "$0" blur engine=cpu & v=$!
                until pw-dump | grep -q '"node.description": "rvosseg"'; do sleep 0.2; done
                timeout 30 gst-launch-1.0 -q pipewiresrc num-buffers=5 ! videoconvert ! fakesink
                status=$?
                kill $v; wait $v
                [ $status != 0 ] || break
            done
            kill $w $p; wait; exit $status"""
        with tempfile.TemporaryDirectory() as folder:
            run("dbus-run-session", "--", "sh", "-c", script,
                self.examples / "virtual-camera.sh", XDG_RUNTIME_DIR=folder, OUT="pipewire",
                SIZE="160x120", SOURCE="videotestsrc is-live=true")

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
        for where in ("-90,60", "80,2000000000"):
            text = run(self.built / "click-to-segment", "--headless", "--frames=5",
                       f"--click={where},3", self.clip())
            check("object" not in text, f"a click beside the picture is ignored: {text}")

    def click_to_segment_auto(self):
        """By the shipped model, which takes long under a sanitizer."""
        need("avdec_h264")
        root = self.examples.parent.parent
        shown = {"RVOS_MODEL": str(root / "data/models/rvos-resnet18-h128.safetensors")}
        for where, words in [("340,250,6", r"object (\d+), id \d+: selected at 340,250"),
                             ("20,20,6", r"object (\d+): a disc at 20,20\n")]:
            text = run(self.built / "click-to-segment", "--headless", "--frames=8", "--auto",
                       f"--click={where}", root / "data/clips/cup.mp4", **shown)
            clicked = re.search(words, text)
            check(clicked, words)
            check(f"object {clicked[1]} appeared" in text, "it is one of the objects")

    def count_objects(self):
        need_code("import gi; gi.require_version('Gst', '1.0')")
        text = run(PYTHON, self.examples / "count-objects.py", self.clip(), 10)
        check(text.count(" px)") >= 5, "objects are counted")
        check("appeared: object" in text, "messages are read")
        film = self.work / "film.jpg"  # pictures in a row have no timestamps
        run("gst-launch-1.0", "-q", "videotestsrc", "num-buffers=3", "!", "jpegenc", "!",
            "filesink", f"location={film}")
        check("no time: " in run(PYTHON, self.examples / "count-objects.py", film),
              "a frame may have no timestamp")
        self.count_objects_ends()

    def count_objects_ends(self):
        """By Ctrl-C, or when nobody can read its lines any more: without a traceback."""
        command = [PYTHON, str(self.examples / "count-objects.py"), str(self.clip())]
        for how, words in (("head", ""), ("full", "standard output: No space left"), ("int", "")):
            with open("/dev/full", "w", encoding="ascii") as full:
                program = subprocess.Popen(command, text=True, stderr=subprocess.PIPE,
                                           stdout=full if how == "full" else subprocess.PIPE)
            lines = ""
            if how != "full":
                program.stdout.readline()
            if how == "int":
                program.send_signal(signal.SIGINT)
                lines = program.stdout.read()
            if how != "full":
                program.stdout.close()
            told = program.stderr.read()
            program.stderr.close()
            program.wait(LIMIT)
            check("Traceback" not in told and words in told and bool(told) == bool(words), told)
            check(" objects: " in lines or how != "int", f"Ctrl-C gives the sum: {lines}")
            check((program.returncode == 0) == (how == "int"), f"{how}: {program.returncode}")

    def mistakes(self):
        """A wrong command ends at once, with words that say what is wanted."""
        none = str(self.work / "none.mp4")
        usage = {"background.sh": [none, none], "file.sh": [none], "rtsp.sh": [],
                 "two-streams.sh": [none, none]}
        cases = [(["sh", self.examples / name, *given], f"usage: {name} ")
                 for name, given in usage.items()]
        if (self.built / "pull-masks").exists():
            cases.append(([self.built / "pull-masks", none], "file: Resource not found"))
        count = self.examples / "count-objects.py"
        cases += [([PYTHON, count, none], f"{none}: Resource not found"),
                  ([PYTHON, count], "usage: count-objects.py"),
                  ([PYTHON, count, none, "all"], "FRAMES: invalid int value: 'all'"),
                  ([PYTHON, self.examples / "web" / "server.py", "--port", "99999"],
                   "--port: invalid port value: '99999'"),
                  ([PYTHON, self.examples / "cameras.py", "--health-port", "-1", "a=rtsp://b"],
                   "--health-port: invalid port value: '-1'")]
        bare = {"GST_PLUGIN_PATH": "", "GST_REGISTRY": str(self.work / "registry-bare.bin"),
                "GST_PLUGIN_SYSTEM_PATH": str(self.work)}  # as where rvosseg is not installed
        cases += [([PYTHON, count, none], 'count-objects.py: no element "filesrc"', bare),
                  ([PYTHON, self.examples / "rtsp-server.py", "nosrc"],
                   'rtsp-server.py: no element "nosrc"')]
        for command, words, *more in cases:
            done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                                  timeout=20, env={**os.environ, **dict(*more)})
            if re.search("No module named|Namespace .* not available", done.stderr):
                continue  # not installed
            check(done.returncode and words in done.stderr and "objects:" not in done.stdout,
                  f"{words}; it says: {done.stderr}")

    def rtsp(self):
        """The client example reads from the server example."""
        need_code("import gi; gi.require_version('GstRtspServer', '1.0')")
        self.need_encoder()
        need("rtspsrc", "rtph264pay", "rtph264depay")
        server = subprocess.Popen(
            [PYTHON, str(self.examples / "rtsp-server.py"),
             "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=10/1", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            url = server.stdout.readline().strip()
            check(url.startswith("rtsp://"), "the server is up")
            taken = url.split(":")[-1].split("/")[0]
            for port, words in ((taken, f"port {taken} is taken"),
                                ("99999", "error: argument PORT: invalid port value")):
                done = subprocess.run([PYTHON, str(self.examples / "rtsp-server.py"), "fakesrc",
                                       port], capture_output=True, text=True, timeout=20)
                check(f"rtsp-server.py: {words}" in done.stderr, done.stderr)
            self.script("rtsp.sh", url, SINK="identity eos-after=10 ! fakesink")
            server.send_signal(signal.SIGINT)
            told = server.communicate(timeout=LIMIT)[1]
            check("Traceback" not in told and server.returncode == 0, f"Ctrl-C: {told}")
        finally:
            server.kill()
            server.wait()


def main():
    name, examples, built, work = sys.argv[1:]
    runner = Examples(pathlib.Path(examples), pathlib.Path(built), pathlib.Path(work))
    getattr(runner, name.replace("-", "_"))()


if __name__ == "__main__":
    main()
