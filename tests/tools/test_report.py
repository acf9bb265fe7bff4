#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests rvos-report: names and pictures of its pages, lines of its charts, and its messages if a
file, a package or the program itself is missing."""
import base64
import importlib.machinery
import importlib.util
import io
import json
import os
import shutil
import xml.etree.ElementTree as xml
from html.parser import HTMLParser
from pathlib import Path

import common
import numpy as np
from common import disk, scratch, write_frame, write_mask
from PIL import Image

NAMES = ["a$x_1$", "b<i>&'\"", "c\x1b[31m\u202ed", "d\udcff"]


def module():
    """Load the program as a module, because each start takes a third of a second."""
    loader = importlib.machinery.SourceFileLoader("rvos_report", common.tool("rvos-report"))
    spec = importlib.util.spec_from_loader("rvos_report", loader)
    found = importlib.util.module_from_spec(spec)
    loader.exec_module(found)
    return found


def write(name, value):
    with open(scratch(name), "w", encoding="utf-8") as f:
        f.write(value if isinstance(value, str) else json.dumps(value))
    return scratch(name)


class Page(HTMLParser):
    """The texts and pictures of a page. An unknown tag means that a name was not escaped."""
    KNOWN = set("html head meta title style body h1 h2 p br div b span i table tr th td figure "
                "figcaption img svg line polyline ul li".split())

    def __init__(self, text):
        super().__init__()
        self.texts, self.pictures, self.lines, self.unknown = [], [], 0, set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.unknown |= {tag} - self.KNOWN
        self.lines += tag == "polyline"
        if tag == "img":
            self.pictures.append(dict(attrs)["src"])

    def handle_data(self, data):
        self.texts.append(data.strip())


class Pages(common.ToolTest):
    @classmethod
    def setUpClass(cls):
        common.tool("rvos-eval")
        common.need_report("page")
        cls.report, cls.top = module(), scratch("set", "x")[:-2]
        for name in NAMES:
            for t in range(3):
                truth = disk(60, 80, 30, 30, 15) * 1 + disk(60, 80, 30, 65, 9) * 2
                frame = np.full((60, 80, 3), 40, np.uint8)
                write_frame(f"{cls.top}/JPEGImages/{name}/{t:05d}.png", frame)
                write_mask(f"{cls.top}/Annotations/{name}/{t:05d}.png", truth)
                write_mask(f"{cls.top}/masks/{name}/{t:05d}.png", truth * (t < 2))
        code, _, err = common.run("rvos-eval", "-q", f"{cls.top}/Annotations", f"{cls.top}/masks",
                                  "-J", scratch("scores.json"), "-H", scratch("page.html"),
                                  "-p", "youtube-vos")
        assert code == 0, err
        cls.text = Path(scratch("page.html")).read_text(encoding="utf-8")
        cls.scores = json.loads(Path(scratch("scores.json")).read_text(encoding="utf-8"))

    def test_names(self):
        page = Page(self.text)
        self.assertEqual(page.unknown, set())
        for name in ("a$x_1$", "b<i>&'\"", r"c\x1b[31m\u202ed", r"d\xff"):
            self.assertEqual(page.texts.count(name), 3, name)  # a bar, and two rows
        self.assertEqual(page.lines, 8)

    def test_pictures(self):
        """The worst frame has no result; in the best, both objects are tinted."""
        page = Page(self.text)
        self.assertEqual(len(page.pictures), 8)
        for url, tinted in zip(page.pictures, [False] * 4 + [True] * 4):
            data = base64.b64decode(url.split(",")[1])
            with Image.open(io.BytesIO(data)) as image:
                pixels = np.array(image.convert("RGB")).astype(int)
            self.assertEqual(pixels.shape, (60, 80, 3))
            np.testing.assert_allclose(pixels[3, 3], 40, atol=12)
            want = [88, 18, 18] if tinted else [40] * 3
            np.testing.assert_allclose(pixels[30, 30], want, atol=20)
            self.assertGreater(pixels[30, 15:17].max(), 180)  # the annotation's line

    def test_masks_of_all_kinds(self):
        """Numbers as palette, grey or colours; white is one object; 255 is left out."""
        want = np.zeros((8, 8), np.uint8)
        want[2:4], want[5:7] = 1, 2
        colours = np.array([self.report.colour(n) for n in range(256)], np.uint8)
        write_mask(scratch("p.png"), want)
        write_frame(scratch("l.png"), want)
        write_frame(scratch("rgb.png"), colours[want])
        for name in ("p.png", "l.png", "rgb.png"):
            np.testing.assert_array_equal(self.report.labels(scratch(name), False), want)
        write_frame(scratch("white.png"), (want > 0) * 255)
        np.testing.assert_array_equal(self.report.labels(scratch("white.png"), True), want > 0)
        self.assertFalse(self.report.labels(scratch("white.png"), False).any())

    def test_gone(self):
        """Scores whose masks are gone still make a page."""
        scores = dict(self.scores, predictions="/nowhere")
        page = Page(self.report.page(scores, None))
        self.assertEqual((page.pictures, page.lines), ([], 8))
        self.assertIn("The masks are not there any more.", page.texts)

    def test_nothing_scored(self):
        scores = dict(self.scores, sequences=[dict(name="x", fault="x: <u>\x1b")],
                      by_instances=[])
        del scores["mean"]
        page = Page(self.report.page(scores, None))
        self.assertIn(r"x: <u>\x1b", page.texts)
        self.assertEqual(page.unknown, set())

    def test_alone(self):
        """From a file to a file or stdout, it writes the same page as rvos-eval."""
        text = self.ok("rvos-report", scratch("scores.json"))
        self.assertEqual(text, self.text)
        link = scratch("link.html")
        os.symlink(scratch("old.html"), link)
        write("old.html", "old")
        self.ok("rvos-report", scratch("scores.json"), "--output", link)
        with open(link, encoding="utf-8") as f, open(scratch("old.html"), encoding="utf-8") as old:
            self.assertEqual((f.read(), old.read()), (self.text, "old"))

    def test_faults(self):
        for code, words, args in (
                (2, "nowhere.json: No such file", ["nowhere.json"]),
                (2, "give what --json has written", [write("broken.json", "{")]),
                (2, "neither", [write("other.json", "[1]")]),
                (2, "not as --json writes it", [write("less.json", {"sequences": []})]),
                (1, "name a file", []), (1, "--what", ["--what"]),
                (1, "one file of scores", [scratch("scores.json")] * 2),
                (4, "/dev/full: No space", [scratch("scores.json"), "-o", "/dev/full"]),
                (4, "/no/such/x: No such file", [scratch("scores.json"), "-o", "/no/such/x"])):
            with self.subTest(words):
                self.assertEqual(self.fault(code, words, "rvos-report", *args), "")

    def test_input_is_kept(self):
        scores = shutil.copy(scratch("scores.json"), scratch("own.json"))
        link = os.path.join(self.top, "link.html")
        os.symlink(scores, link)
        masks = os.path.join(self.top, "masks")
        picture = next(os.path.join(at, name) for at, _, names in os.walk(masks)
                       for name in names if name.endswith(".png"))
        for path in (scores, link, picture):
            with open(path, "rb") as f:
                before = f.read()
            self.fault(1, f"{os.path.basename(path)}: is read by this command", "rvos-report",
                       scores, "-o", path)
            with open(path, "rb") as f:
                self.assertEqual(f.read(), before)

    def test_not_installed(self):
        """rvos-report is found beside rvos-eval or in PATH; if missing, an error comes first."""
        alone = shutil.copy(common.tool("rvos-eval"), scratch("alone", "rvos-eval"))
        page = scratch("by-path.html")
        for path, code in (("/nowhere", 4), (common.BIN, 0)):
            env = dict(PATH=path, LD_LIBRARY_PATH=os.path.dirname(common.BIN))
            status, out, err = common.run(alone, "-H", page, f"{self.top}/Annotations",
                                          f"{self.top}/masks", env=env)
            self.assertEqual((status, os.path.exists(page)), (code, not code), err)
            self.assertEqual("rvos-report, which cannot be run: No such file" in err, code == 4)
            self.assertEqual(out == "", code == 4)

    def test_package_missing(self):
        """The error names Debian's package."""
        self.report.NEEDED["page"] = ("jinja2", "nowhere")
        try:
            with self.assertRaisesRegex(self.report.Fault, "python3-nowhere"):
                self.report.check("page")
        finally:
            self.report.NEEDED["page"] = ("jinja2", "numpy", "PIL")


class Charts(common.ToolTest):
    def test_lines(self):
        """Results that differ in one value only share a line; names are escaped."""
        common.need_report("charts")
        report = module()
        evil = "_<x>&$a_1$\x1b"
        rows = [dict(engine=engine, encoder="r", task="auto", precision="fp32", threads=2,
                     objects=n, streams=1, fps=10.0 * n, latency_ms=dict(p50=5.0 / n))
                for engine in ("cpu", evil) for n in (5, 1, 3)]
        rows[0].pop("latency_ms")  # a row that lacks something counts as 0
        text = report.charts([("x.json", rows)])
        root = xml.fromstring(text)
        words = ["".join(t.itertext()) for t in root.iterfind(".//{*}text")]
        self.assertIn(r"_<x>&$a_1$\x1b r auto fp32, 2 threads, streams 1", words)
        self.assertIn("Throughput", words)
        lines = [g for g in root.iterfind(".//{*}g") if g.get("id", "").startswith("line-")]
        self.assertEqual([len(g.findall(".//{*}use")) for g in lines], [3, 3] + [1] * 6)
        self.assertEqual(text, report.charts([("x.json", rows)]))
        report.charts([("x.json", [])])


if __name__ == "__main__":
    common.main()
