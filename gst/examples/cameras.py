#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several network cameras, segmented, as a service: RTSP in; RTSP, MQTT and health out.

    cameras.py NAME=URL... [options]
    cameras.py --list FILE [--per-pod N --pod INDEX] [options]

The camera NAME is seen at rtsp://HOST:8554/NAME with its objects drawn; it is encoded only while
somebody watches. With --mqtt each object of each segmented frame is published as JSON under
TOPIC/NAME/object, and whether the camera is there under TOPIC/NAME/state (retained). A camera that
fails or is silent for --timeout seconds is opened again, after 1, 2, 4 ... 30 s. All cameras share
one copy of the model. On --health-port, /healthz says whether the program works, /readyz whether a
camera does, and /metrics counts frames for Prometheus.

Needs python3-gi, gir1.2-gst-rtsp-server-1.0, GStreamer's plugins good, bad, ugly and libav, and
python3-paho-mqtt for --mqtt.
"""
import argparse
import http.server
import json
import signal
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

# The queue in front of the network keeps the newest frame only.
CAMERA = ("uridecodebin name=in ! videoconvert ! "
          "queue leaky=downstream max-size-buffers=1 ! "
          "rvosseg name=seg post-messages=all {properties} ! "
          "queue max-size-buffers=2 ! videoconvert ! video/x-raw,format=I420 ! "
          "intervideosink channel={channel} sync=false")
# Black while the camera is gone. One encoder for all viewers.
VIEW = ("( intervideosrc channel={channel} ! videoconvert ! "
        "x264enc tune=zerolatency speed-preset=veryfast key-int-max=60 ! "
        "rtph264pay name=pay0 pt=96 config-interval=-1 )")
FIELDS = ("slot", "tracking-id", "label", "stream-time", "x", "y", "width", "height", "area",
          "score", "age")


class Camera:
    """One camera: its pipeline, opened again whenever it ends."""

    def __init__(self, name, url, options, tell):
        self.name, self.url, self.options, self.tell = name, url, options, tell
        self.channel = f"{name}-{id(self)}"  # intervideosink's channels are the process's
        self.pipeline = None
        self.tries = 0       # since the last frame
        self.last = None     # time.monotonic() of the last frame
        self.opened = 0.0
        self.frames = self.reopened = 0
        self.error = "not opened yet"

    @property
    def live(self):
        return self.last is not None and time.monotonic() - self.last < self.options.timeout

    def open(self):
        self.opened, self.last = time.monotonic(), None
        self.pipeline = Gst.parse_launch(CAMERA.format(
            channel=self.channel, properties=" ".join(self.options.set)))
        source = self.pipeline.get_by_name("in")
        source.set_property("uri", self.url)
        source.connect("source-setup", self.on_source)
        pad = self.pipeline.get_by_name("seg").get_static_pad("src")
        pad.add_probe(Gst.PadProbeType.BUFFER, self.on_frame)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self.on_message)
        self.pipeline.set_state(Gst.State.PLAYING)
        return GLib.SOURCE_REMOVE

    def close(self):
        if self.pipeline:
            self.pipeline.get_bus().remove_signal_watch()
            self.pipeline.set_state(Gst.State.NULL)
            self.pipeline = None

    def again(self, why):
        """Opens it again after a pause that grows from try to try."""
        if not self.pipeline:
            return
        self.close()
        if self.last is not None or self.tries == 0:
            self.tell(self, "state", {"live": False, "why": why}, retain=True)
        self.error, self.last = why, None
        self.reopened += 1
        pause = min(2 ** self.tries, 30)
        self.tries += 1
        print(f"{self.name}: {why}; again in {pause} s", file=sys.stderr, flush=True)
        GLib.timeout_add_seconds(pause, self.open)

    def check(self):
        """Every second: a camera may be silent without an error."""
        since = time.monotonic() - (self.last or self.opened)
        if self.pipeline and since > self.options.timeout:
            self.again(f"no frame for {since:.0f} s")

    def on_source(self, _element, source):
        if source.find_property("latency"):
            source.set_property("latency", 200)
        if source.find_property("tcp-timeout"):  # microseconds
            source.set_property("tcp-timeout", self.options.timeout * 1000000)

    def on_frame(self, _pad, _info):  # in the streaming thread
        if self.last is None:
            self.tries, self.error = 0, None
            GLib.idle_add(self.tell, self, "state", {"live": True}, True)
        self.last = time.monotonic()
        self.frames += 1
        return Gst.PadProbeReturn.OK

    def on_message(self, _bus, message):
        if message.type == Gst.MessageType.ERROR:
            self.again(message.parse_error()[0].message)
        elif message.type == Gst.MessageType.EOS:
            self.again("the stream has ended")
        elif message.type == Gst.MessageType.ELEMENT:
            s = message.get_structure()
            if s.get_name() == "rvosseg-object":
                about = {key: s.get_value(key) for key in FIELDS if s.has_field(key)}
                self.tell(self, "object", {"event": s.get_string("event"), "time": time.time(),
                                           **about})


class Publisher:
    """MQTT, or nothing. The broker may come and go; paho connects again by itself."""

    def __init__(self, address, topic):
        self.client, self.topic = None, topic
        if not address:
            return
        import paho.mqtt.client as mqtt
        host, _, port = address.partition(":")
        # Version 2 of paho requires a version of the callbacks; none are used here.
        version = getattr(mqtt, "CallbackAPIVersion", None)
        self.client = mqtt.Client(version.VERSION2) if version else mqtt.Client()
        self.client.will_set(f"{topic}/state", json.dumps({"live": False}), retain=True)
        self.client.connect_async(host, int(port or 1883))
        self.client.loop_start()
        self.client.publish(f"{topic}/state", json.dumps({"live": True}), retain=True)

    def tell(self, camera, what, about, retain=False):
        if self.client:
            self.client.publish(f"{self.topic}/{camera.name}/{what}", json.dumps(about),
                                retain=retain)
        return GLib.SOURCE_REMOVE


class Health(http.server.BaseHTTPRequestHandler):
    service = None  # set by serve_health

    def do_GET(self):
        works = time.monotonic() - self.service.beat < 10
        cameras = self.service.cameras
        if self.path == "/metrics":
            return self.answer(200, "".join(
                f'rvosseg_{name}{{camera="{c.name}"}} {value}\n' for c in cameras
                for name, value in (("live", int(c.live)), ("frames_total", c.frames),
                                    ("reopened_total", c.reopened))), "text/plain; version=0.0.4")
        if self.path not in ("/healthz", "/readyz"):
            return self.answer(404, "/healthz, /readyz or /metrics\n", "text/plain")
        good = works and (self.path == "/healthz" or any(c.live for c in cameras))
        return self.answer(200 if good else 503, json.dumps(
            {c.name: {"live": c.live, "frames": c.frames, "error": c.error} for c in cameras}),
            "application/json")

    def answer(self, status, text, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass  # probes come every few seconds


class Service:
    def __init__(self, options, cameras):
        self.beat = time.monotonic()
        self.publisher = Publisher(options.mqtt, options.topic)
        self.cameras = [Camera(name, url, options, self.publisher.tell) for name, url in cameras]
        self.rtsp = GstRtspServer.RTSPServer()
        self.rtsp.set_service(str(options.port))
        for camera in self.cameras:
            factory = GstRtspServer.RTSPMediaFactory()
            factory.set_shared(True)
            factory.set_launch(VIEW.format(channel=camera.channel))
            self.rtsp.get_mount_points().add_factory(f"/{camera.name}", factory)
        if not self.rtsp.attach(None):
            sys.exit(f"cameras: port {options.port} is taken or not allowed")
        handler = type("Handler", (Health,), {"service": self})
        try:
            self.http = http.server.ThreadingHTTPServer(("", options.health_port), handler)
        except OSError as e:
            sys.exit(f"cameras: port {options.health_port}: {e.strerror}")
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def on_second(self):
        self.beat = time.monotonic()
        for camera in self.cameras:
            camera.check()
        return GLib.SOURCE_CONTINUE

    def run(self):
        loop = GLib.MainLoop()
        GLib.timeout_add_seconds(1, self.on_second)
        for number in (signal.SIGINT, signal.SIGTERM):
            GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, loop.quit)
        for camera in self.cameras:
            camera.open()
        for camera in self.cameras:
            print(f"rtsp://127.0.0.1:{self.rtsp.get_bound_port()}/{camera.name}")
        print(f"http://127.0.0.1:{self.http.server_port}/readyz", flush=True)
        loop.run()
        self.http.shutdown()
        for camera in self.cameras:
            camera.close()


def port(text):
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError
    return number


def arguments():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("camera", nargs="*", metavar="NAME=URL")
    p.add_argument("--list", metavar="FILE", help="a file of NAME=URL, one to a line")
    p.add_argument("--per-pod", type=int, default=0, metavar="N",
                   help="take N cameras of the list: those of this pod")
    p.add_argument("--pod", type=int, default=0, metavar="INDEX", help="which pod this is, from 0")
    p.add_argument("--port", type=port, default=8554, help="of RTSP (8554)")
    p.add_argument("--health-port", type=port, default=8080, help="of health and metrics (8080)")
    p.add_argument("--mqtt", metavar="HOST[:PORT]", help="the broker")
    p.add_argument("--topic", default="rvosseg", help="above all that is published (rvosseg)")
    p.add_argument("--timeout", type=int, default=10, help="seconds without a frame (10)")
    p.add_argument("--set", action="append", default=[], metavar="PROPERTY=VALUE",
                   help="a property of rvosseg, such as max-inference-rate=10/1; many times")
    options = p.parse_args()
    lines = list(options.camera)
    if options.list:
        try:
            with open(options.list, encoding="utf-8-sig") as f:
                lines += [line for line in map(str.strip, f) if line and line[0] != "#"]
        except OSError as e:
            p.error(f"{options.list}: {e.strerror}")
        except UnicodeDecodeError:
            p.error(f"{options.list}: it is not in UTF-8")
    if options.per_pod:
        lines = lines[options.pod * options.per_pod:(options.pod + 1) * options.per_pod]
    cameras = [line.partition("=")[::2] for line in lines]
    for line, (name, url) in zip(lines, cameras):
        if not name or not name.replace("-", "").replace("_", "").isalnum() or ":" not in url:
            p.error(f"{line}: NAME=URL is wanted, and a name of letters, digits, - and _")
    if not cameras:
        p.error("no cameras")
    if len(dict(cameras)) < len(cameras):
        p.error("two cameras have the same name")
    return options, cameras


def main():
    options, cameras = arguments()
    Gst.init(None)
    try:
        Gst.parse_launch("rvosseg " + " ".join(options.set))  # shows a wrong --set at once
    except GLib.Error as e:
        sys.exit(f"cameras: {e.message}")
    Service(options, cameras).run()


if __name__ == "__main__":
    main()
