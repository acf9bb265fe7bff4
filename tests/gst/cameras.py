#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""cameras.py EXAMPLES: tests gst/examples/cameras.py with a camera that dies and comes back.

A broker and a camera of this machine; RVOS_MODEL is a tiny random network.
"""
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from testing import PYTHON, need_code, need_elements, skip, wait  # noqa: E402

EXAMPLE = pathlib.Path(sys.argv[1]).resolve() / "cameras.py"
CAMERA = """
import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_shared(True)
factory.set_launch("( videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,"
                   "framerate=10/1 ! x264enc tune=zerolatency ! rtph264pay name=pay0 pt=96 )")
server.get_mount_points().add_factory("/camera", factory)
sys.exit(1) if not server.attach(None) else print("up", flush=True)
GLib.MainLoop().run()
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url):
    """(status, body)"""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()
    except OSError:
        return 0, ""


def start_camera(port):
    camera = subprocess.Popen([PYTHON, "-c", CAMERA, str(port)], stdout=subprocess.PIPE, text=True)
    assert camera.stdout.readline().strip() == "up"
    return camera


def needs():
    if not shutil.which("mosquitto") and not pathlib.Path("/usr/sbin/mosquitto").exists():
        skip("no mosquitto here")
    need_code("import gi, paho.mqtt.client\n"
              "gi.require_version('GstRtspServer', '1.0')\nfrom gi.repository import GstRtspServer")
    need_elements("rtspsrc", "x264enc", "avdec_h264", "intervideosink")


def refusals(folder):
    latin, marked = pathlib.Path(folder, "latin.txt"), pathlib.Path(folder, "marked.txt")
    latin.write_bytes("caf\xe9=rtsp://x/\n".encode("latin-1"))
    marked.write_text("\ufeff  # a comment\n \na=rtsp://x/\n  # more\n", encoding="utf-8")
    for arguments, words in ((["door"], "error: door: NAME=URL is wanted"), ([], "no cameras"),
                             (["--list", latin], "not in UTF-8"),
                             # The list is read: its only camera is named twice.
                             (["--list", marked, "a=rtsp://y/"], "the same name"),
                             (["a b=rtsp://x/"], "NAME=URL is wanted"),
                             (["a=rtsp://x/", "a=rtsp://y/"], "the same name"),
                             (["--list", "/nowhere/list"], "/nowhere/list")):
        done = subprocess.run([PYTHON, EXAMPLE, *arguments], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 2 and words in done.stderr, done
    for wrong in ("colour", "objects"):
        done = subprocess.run([PYTHON, EXAMPLE, "a=rtsp://127.0.0.1:1/", "--set",
                               f"{wrong}=red"], capture_output=True, text=True, check=False,
                              timeout=60)
        assert done.returncode == 1 and done.stderr.startswith("cameras: "), done
        assert wrong in done.stderr and "Traceback" not in done.stderr, done
    print("ok: bad arguments are refused")


def documented():
    """The command of docs/cameras.md, with addresses without a camera."""
    text = (EXAMPLE.parents[2] / "docs" / "cameras.md").read_text(encoding="utf-8")
    line = re.search(r"^python3 gst/examples/cameras.py (.*)$", text, re.M).group(1)
    words = re.sub(r"192\.0\.2\.\d+", "127.0.0.1:1", line).split()
    with subprocess.Popen([PYTHON, EXAMPLE, *words, "--port", "0", "--health-port", "0"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as service:
        assert service.stdout.readline().strip().endswith("/door")
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=30) == 0
    print("ok: docs/cameras.md's command")


def listen(port):
    import paho.mqtt.client as mqtt
    version = getattr(mqtt, "CallbackAPIVersion", None)
    client = mqtt.Client(version.VERSION2) if version else mqtt.Client()
    heard = {}

    def on_message(_client, _data, message):
        heard.setdefault(message.topic, []).append(json.loads(message.payload))
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.subscribe("test/#")
    client.loop_start()
    return heard


def check_lives(service, camera_port, heard):
    """One camera works and one is missing; returns the URL of the health server."""
    door = service.stdout.readline().strip()
    assert door.endswith("/door") and service.stdout.readline().strip().endswith("/yard")
    health = service.stdout.readline().strip().rsplit("/", 1)[0]
    wait("a camera is ready", lambda: get(health + "/readyz")[0] == 200)
    state = json.loads(get(health + "/readyz")[1])
    assert state["door"]["live"] and not state["yard"]["live"] and state["yard"]["error"], state
    wait("objects are published", lambda: len(heard.get("test/door/object", [])) > 5)
    thing = heard["test/door/object"][-1]
    assert 0 <= thing["x"] < 160 and 0 < thing["width"] <= 160 and thing["tracking-id"] > 0, thing
    assert heard["test/door/state"][-1] == {"live": True}, heard["test/door/state"]
    # The picture must not be the black of a missing camera.
    seen = subprocess.run(
        ["gst-launch-1.0", "-q", "rtspsrc", f"location={door}", "!", "decodebin", "!",
         "identity", "eos-after=20", "!", "videoconvert", "!", "video/x-raw,format=GRAY8", "!",
         "fdsink"], capture_output=True, timeout=90, check=False)
    last = seen.stdout[-160 * 120:]
    assert seen.returncode == 0 and last and max(last) > 100, (seen.stderr, max(last, default=0))
    print("ok: the camera is seen by RTSP")
    return health


def check_returns(camera, camera_port, health, heard):
    camera.kill()
    camera.wait()
    wait("no camera is ready", lambda: get(health + "/readyz")[0] == 503)
    assert get(health + "/healthz")[0] == 200
    wait("its loss is published", lambda: heard["test/door/state"][-1]["live"] is False)
    camera = start_camera(camera_port)
    try:
        wait("it is ready again", lambda: get(health + "/readyz")[0] == 200)
        metrics = get(health + "/metrics")[1]
        lines = dict(line.rsplit(" ", 1) for line in metrics.splitlines())
        assert int(lines['rvosseg_reopened_total{camera="door"}']) >= 1, metrics
        assert int(lines['rvosseg_frames_total{camera="door"}']) >= 2, metrics
        assert lines['rvosseg_live{camera="yard"}'] == "0", metrics
        assert get(health + "/other")[0] == 404
    finally:
        camera.kill()


def main():
    needs()
    with tempfile.TemporaryDirectory() as folder:
        refusals(folder)
    documented()
    camera_port, mqtt_port = free_port(), free_port()
    children = [start_camera(camera_port)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            settings = pathlib.Path(folder, "mosquitto.conf")
            settings.write_text(f"listener {mqtt_port} 127.0.0.1\nallow_anonymous true\n")
            broker = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
            children.append(subprocess.Popen([broker, "-c", settings],
                                             stderr=subprocess.DEVNULL))
            wait("the broker is up", lambda: not socket.socket().connect_ex(
                ("127.0.0.1", mqtt_port)))
            heard = listen(mqtt_port)
            cameras = pathlib.Path(folder, "cameras.txt")
            cameras.write_text("# of another pod\nother=rtsp://127.0.0.1:1/\n"
                               f"more=rtsp://127.0.0.1:1/\ndoor=rtsp://127.0.0.1:{camera_port}"
                               f"/camera\nyard=rtsp://127.0.0.1:{free_port()}/none\n")
            service = subprocess.Popen(
                [PYTHON, EXAMPLE, "--list", cameras, "--per-pod", "2", "--pod", "1", "--port", "0",
                 "--health-port", "0", "--mqtt", f"127.0.0.1:{mqtt_port}", "--topic", "test",
                 "--timeout", "3", "--set", "mode=zero-shot", "--set", "min-age=0", "--set",
                 "threshold=0.3"], stdout=subprocess.PIPE, text=True)
            children.append(service)
            health = check_lives(service, camera_port, heard)
            check_returns(children[0], camera_port, health, heard)
            service.send_signal(signal.SIGTERM)
            assert service.wait(timeout=30) == 0
            print("ok: it ends when it is told to")
    finally:
        for child in children:
            child.kill()


if __name__ == "__main__":
    main()
