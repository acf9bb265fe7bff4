#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""web.py ROOT WORK [PICTURE.png]: tests gst/examples/web in a headless Chromium with a clip as camera.

PICTURE.png gets a screenshot. GST_PLUGIN_PATH leads to rvosseg.
"""
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import testing  # noqa: E402
from testing import PYTHON  # noqa: E402

ROOT, WORK = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
EXAMPLE = ROOT / "gst" / "examples" / "web" / "server.py"
VISITS = 10
# The left part of the returned picture, scaled, as RGBA bytes.
PIXELS = """
const [part, width, height] = arguments;
const video = document.getElementById("video"), canvas = document.createElement("canvas");
canvas.width = width; canvas.height = height;
const context = canvas.getContext("2d");
context.drawImage(video, 0, 0, part * video.videoWidth, video.videoHeight, 0, 0, width, height);
return Array.from(context.getImageData(0, 0, width, height).data);
"""


def needs():
    for program in ("chromium", "chromedriver"):
        if not shutil.which(program):
            testing.skip(f"no {program} here")
    testing.need_code("import aiohttp, selenium, numpy, gi; "
                      "gi.require_version('GstWebRTC', '1.0')")
    testing.need_elements("webrtcbin", "nicesrc", "y4menc", "vp8enc", "avdec_h264")


def wait(what, condition):
    return testing.wait(what, condition, tell=lambda: f"; the page says "
                                                      f"{Page.last.text('figures')!r}")


def make_camera():
    """The first second of the clip, in which the objects hardly move; Chromium repeats it. A
    pattern at the left shows whether the background is sharp."""
    path = WORK / "camera.y4m"
    subprocess.run(
        ("gst-launch-1.0 -q compositor name=c sink_1::width=64 sink_1::height=240 ! "
         f"video/x-raw,format=I420,width=320,height=240 ! y4menc ! filesink location={path} "
         f"filesrc location={ROOT}/data/clips/cup.mp4 ! decodebin ! videoconvert ! videoscale ! "
         "video/x-raw,width=320,height=240 ! identity eos-after=26 ! c.sink_0 "
         "videotestsrc pattern=checkers-8 num-buffers=30 ! "
         "video/x-raw,width=32,height=120,framerate=30/1 ! c.sink_1").split(), check=True)
    return path


def browse(camera):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                 f"--use-file-for-fake-video-capture={camera}", "--window-size=1000,1000",
                 "--disable-features=WebRtcHideLocalIpsWithMdns",
                 "--allow-loopback-in-peer-connection",  # where there is no other network
                 f"--user-data-dir={WORK}/chromium"):
        options.add_argument(word)
    return webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)


class Page:
    last = None  # for the message of a failure

    def __init__(self, browser, url):
        self.browser, self.url = browser, url
        Page.last = self

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def press(self, name):
        self.run(f"document.getElementById('{name}').click()")

    def text(self, name):
        return self.run(f"return document.getElementById('{name}').textContent")

    def plays(self):
        return self.run("const v = document.getElementById('video');"
                        "return v.videoWidth > 0 && v.currentTime > 0.3")

    def picture(self, part=1, width=64, height=48):
        import numpy as np
        pixels = self.run(PIXELS, part, width, height)
        return np.array(pixels, int).reshape(height, width, 4)[:, :, :3]

    def detail(self):
        """Contrast of the red and green pattern, downwards; its right edge survives blurring."""
        import numpy as np
        return np.abs(np.diff(self.picture(0.15, 16, 120)[:, :, 0], axis=0)).mean()

    def ids(self):
        return [int(n) for n in re.findall(r"#(\d+)", self.text("figures"))]

    def click(self, x, y):
        """Click on the picture; x and y are 0 to 1."""
        self.run(f"""
            const video = document.getElementById("video"), box = video.getBoundingClientRect();
            video.dispatchEvent(new MouseEvent("click", {{bubbles: true,
                clientX: box.left + {x} * box.width, clientY: box.top + {y} * box.height}}));""")


def coloured(page, plain):
    """The pixels, of 64x48, that the overlay has changed, without the pattern, which encoding
    blurs."""
    import numpy as np
    return (np.abs(page.picture() - plain).max(2) > 40) & (np.arange(64) > 14)


def check_page(page, plain):
    page.browser.get(page.url)
    page.press("start")
    wait("the video that comes back plays", page.plays)
    wait("objects are found", page.ids)
    wait("their pixels are coloured", lambda: 100 < coloured(page, plain).sum() < 2500)


def check_click(page, plain):
    """A click on an object follows that one; a click elsewhere follows another."""
    import numpy as np
    ids, before = page.ids(), coloured(page, plain)
    ys, xs = np.nonzero(before)
    middle = np.argmin((ys - ys.mean()) ** 2 + (xs - xs.mean()) ** 2)
    x, y = xs[middle], ys[middle]
    page.click((x + 0.5) / 64, (y + 0.5) / 48)
    wait("a click follows one object", lambda: len(page.ids()) == 1 and page.ids() != ids)
    wait("it is coloured where the click was",
         lambda: coloured(page, plain)[max(y - 2, 0):y + 3, max(x - 2, 0):x + 3].any())
    check_blur(page)
    first = page.ids()
    page.click(0.03, 0.97)
    wait("a click beside the objects changes what is followed", lambda: page.ids() != first)


def check_buttons(page, plain):
    page.press("reset")
    wait("objects are found again after a reset",
         lambda: 100 < coloured(page, plain).sum() < 2500)
    page.run("const m = document.getElementById('mode'); m.value = 'zero-shot'; m.onchange();")
    wait("zero-shot runs", lambda: page.ids() and page.plays())


def check_blur(page):
    """Only the clicked object is followed, so the pattern is background."""
    wait("the background is sharp", lambda: page.detail() > 20)
    page.press("blur")
    wait("the background is blurred", lambda: page.detail() < 5)
    page.press("blur")
    wait("it is sharp again", lambda: page.detail() > 20)


def of_process(pid):
    """(threads, file descriptors)"""
    return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd"))


def check_visits(page, server):
    def nobody():
        with urllib.request.urlopen(page.url + "status", timeout=5) as answer:
            return json.load(answer)["visitors"] == 0
    page.browser.get("about:blank")  # without a word to the server
    wait("a visitor who vanishes is forgotten", nobody)
    steady = []
    for visit in range(VISITS):
        page.browser.get(page.url)
        page.press("start")
        end = time.monotonic() + 60
        while not page.run("return document.getElementById('video').videoWidth > 0"):
            assert time.monotonic() < end, f"visit {visit}: no video"
            time.sleep(0.05)
        page.browser.get("about:blank")
        while not nobody():
            assert time.monotonic() < end, f"visit {visit}: still here"
            time.sleep(0.05)
        steady.append(of_process(server.pid))
    print("threads, files after each visit:", *steady)
    # GLib's and Python's pools of threads may grow by a few, not by a few a visit.
    assert steady[-1][0] <= steady[4][0] + 4 and steady[-1][1] <= steady[4][1] + 8
    print(f"ok: {VISITS} visits leave nothing behind")


def check_doors():
    """Who may come in, and when."""
    with subprocess.Popen([PYTHON, EXAMPLE, "--port", "0", "--token", "word", "--visitors", "0"],
                          stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().strip()
        assert url.endswith("/?token=word"), url
        for path, status in (("/", 403), ("/?token=other", 403), ("/?token=word", 200),
                             ("/?token=%C3%A9", 403), ("/?token=%ED%A0%80", 403),
                             ("/status", 403), ("/socket?token=word", 403)):
            try:
                got = urllib.request.urlopen(url.split("/?")[0] + path, timeout=5).status
            except urllib.error.HTTPError as e:
                got = e.code
            assert got == status, (path, got)
        print("ok: the token is asked for")
        server.terminate()
    for arguments, status, words in ((["--tls-cert", "/nowhere"], 2, "--tls-key"),
                                     (["--tls-cert", "/no", "--tls-key", "/no"], 1, "/no"),
                                     (["--set", "colour=red"], 1, 'server: no property "colour"')):
        done = subprocess.run([PYTHON, EXAMPLE, *arguments], capture_output=True, text=True,
                              check=False)
        assert done.returncode == status and words in done.stderr, done


def check_bad_messages(url):
    """Each is answered with an error, and the socket stays open."""
    import asyncio

    import aiohttp

    async def talk():
        async with aiohttp.ClientSession() as session, \
                session.ws_connect(url + "socket", origin=url.rstrip("/")) as socket:
            for text in ('{"type": "click", "x": 1e999, "y": 0}', "[" * 30000, "[]", "{",
                         '{"type": "ice", "sdpMLineIndex": -1, "candidate": ""}'):
                await socket.send_str(text)
                while (await socket.receive_json(timeout=60))["type"] != "error":
                    pass
    asyncio.run(talk())
    print("ok: bad messages are answered")


def check_documented():
    """docs/web.md's two ways to start the server, with a certificate that is made here."""
    text = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")
    lines = re.findall(r"^python3 gst/examples/web/server.py.*?$", text, re.M)
    assert len(lines) == 2, lines
    if not shutil.which("openssl"):
        lines.pop()
    else:
        subprocess.run("openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost "
                       "-keyout key.pem -out cert.pem", shell=True, cwd=WORK, check=True,
                       stderr=subprocess.DEVNULL)
    for line in lines:
        words = line.split("#")[0].split()[2:] + ["--port", "0"]
        with subprocess.Popen([PYTHON, EXAMPLE, *words], cwd=WORK, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as server:
            url = server.stdout.readline().strip()
            context = ssl._create_unverified_context()
            got = urllib.request.urlopen(url.replace("0.0.0.0", "127.0.0.1"), timeout=5,
                                         context=context if url[:5] == "https" else None)
            assert got.status == 200
            assert ("token=" in url) == (url[:5] == "https") == ("0.0.0.0" in line), url
            server.terminate()
        print("ok:", line)


def check_busy(browser):
    with subprocess.Popen([PYTHON, EXAMPLE, "--port", "0", "--visitors", "0"],
                          stdout=subprocess.PIPE, text=True) as server:
        page = Page(browser, server.stdout.readline().strip())
        browser.get(page.url)
        page.press("start")
        wait("one visitor too many is told so", lambda: "Try again later" in page.text("words"))
        server.terminate()


def main():
    import numpy as np
    needs()
    WORK.mkdir(parents=True, exist_ok=True)
    camera = make_camera()
    check_doors()
    check_documented()
    server = subprocess.Popen(
        [PYTHON, EXAMPLE, "--port", "0", "--set", "network-width=224", "--set",
         "network-height=128"], stdout=subprocess.PIPE, text=True)
    browser = None
    try:
        url = server.stdout.readline().strip()
        check_bad_messages(url)
        browser = browse(camera)
        page = Page(browser, url)
        # What the camera shows, as the browser scales it: its middle picture.
        raw = np.fromfile(camera, np.uint8)
        page.browser.get(url)
        plain = camera_picture(page)
        assert raw.size and plain.std() > 10
        check_page(page, plain)
        if len(sys.argv) > 3:
            browser.save_screenshot(sys.argv[3])
        check_click(page, plain)
        check_buttons(page, plain)
        check_visits(page, server)
        check_busy(browser)
    finally:
        if browser:
            browser.quit()
        server.terminate()
        server.wait(timeout=30)
    return 0


def camera_picture(page):
    """64x48 pixels of the camera itself, by the same browser."""
    page.browser.set_script_timeout(60)
    page.browser.execute_async_script("""
        const done = arguments[0], video = document.getElementById("video");
        navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480}}).then((camera) => {
            video.srcObject = camera;
            video.onplaying = () => setTimeout(done, 500);
        });""")
    plain = page.picture()
    page.run("const v = document.getElementById('video');"
             "v.srcObject.getTracks().forEach((t) => t.stop()); v.srcObject = null;")
    return plain


if __name__ == "__main__":
    sys.exit(main())
