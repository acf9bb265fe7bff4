#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests what all tools do with files: lists follow one set of rules, results appear complete or
not at all, and a file's text is escaped before it reaches a terminal."""
import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import time
from pathlib import Path

import common
import numpy as np
from common import read_mask, scratch, write_mask
from filetest import FileTest, fresh, put
from test_dataset import make_davis

EVIL = "e\x1b[31m\x07\x9b\u202e\nx"  # colour, bell, C1, right to left, a new line
HIDDEN = ("\x1b", "\x07", "\x9b", "\u202e")


class Lists(FileTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = make_davis(scratch("lists"))

    def segment(self, text):
        """The sequences that a list names, by rvos-segment."""
        out = scratch("lists-out")
        shutil.rmtree(out, ignore_errors=True)
        self.ok("rvos-segment", "-q", "-n", 1, "-m", self.model, "-D", "davis2017",
                "--sequences", put(scratch("list.txt"), text), self.root, out)
        return sorted(n for n in os.listdir(out) if not n.startswith("."))

    def test_good(self):
        for text in ("bee\nant\n", "ant\r\nbee\r\n", "ant\rbee", b"\xef\xbb\xbfant\nbee",
                     "\n \n# cow\n  ant\t\n bee \n", "ant\nant\nbee/\nbee\n",
                     "/JPEGImages/480p/ant/00000.jpg /Annotations/480p/ant/00000.png\n"
                     "JPEGImages/480p/bee/00000.jpg x\n", b"\xef\xbb\xbf\r\nant\r\n\r\nbee"):
            self.assertEqual(self.segment(text), ["ant", "bee"], text)

    def test_bad(self):
        out = fresh("lists-bad")
        for text, words in (("ant\n..\n", "line 2"), (".\n", "line 1"), ("a/..\n", "line 1"),
                            ("\n\n../ant\n", "line 3"), ("a/../ant", "line 1"),
                            ("/", "line 1"), ("ant\r\n./\r\n", "line 2"), ("", "names nothing"),
                            ("# x\n", "names nothing"), (b"ant\nb\0ee\n", "line 2"),
                            ("ant\n" + "x" * 5000, "line 2"), ("y" * 300, "line 1"),
                            ("ant\n".encode("utf-16"), "UTF-16")):
            path = put(scratch("bad.txt"), text)
            self.unchanged(out, 2, ["bad.txt", words], "rvos-segment", "-q", "-m", self.model,
                           "-D", "davis2017", "--sequences", path, self.root, out + "/o")
            if os.path.exists(os.path.join(common.BIN, "rvos-eval")):
                notes = self.root + "/Annotations/480p"
                self.fault(2, ["bad.txt", words], "rvos-eval", "-q", "-l", path, notes, notes)
            split = put(self.root + "/ImageSets/2017/bad.txt", text)
            self.unchanged(out, 2, [split, words], "rvos-segment", "-q", "-m", self.model,
                           "-D", "davis2017", "--split", "bad", self.root, out + "/o")

    def test_no_file(self):
        pipe = scratch("pipe")
        os.mkfifo(pipe)
        for path in (pipe, self.root, "/dev/zero"):
            self.fault(2, [path, "regular"], "rvos-segment", "-q", "-m", self.model, "-D",
                       "davis2017", "--sequences", path, self.root, scratch("lists-none"))

    def test_eval(self):
        common.tool("rvos-eval")
        common.need_report("page")
        notes = self.root + "/Annotations/480p"
        out = self.ok("rvos-eval", "-C", "-", "-l",
                      put(scratch("list.txt"), b"\xef\xbb\xbfbee\r\n"), notes, notes)
        self.assertEqual({l.split(",")[0] for l in out.splitlines()[1:]}, {"bee"})

    def test_meta(self):
        """A meta.json and a list of seen categories with a mark; pipes are refused."""
        common.tool("rvos-eval")
        notes = self.root + "/Annotations/480p"
        meta = {"videos": {"bee": {"objects": {"1": {"category": "c"}, "2": {"category": "d"}}}}}
        path = put(scratch("meta.json"), b"\xef\xbb\xbf" + json.dumps(meta).encode())
        args = ("-q", "-p", "davis2017", "-C", "-", "-l", put(scratch("list.txt"), "bee"))
        for seen in (b"\xef\xbb\xbfc\r\nx\r\n", b"\xef\xbb\xbf" + json.dumps(meta).encode()):
            out = self.ok("rvos-eval", *args, "-m", path, "-k", put(scratch("seen"), seen),
                          notes, notes)
            self.assertIn("bee,1,1,c,", out)
        pipe = scratch("pipe2")
        os.mkfifo(pipe)
        self.fault(2, "regular", "rvos-eval", *args, "-m", pipe, notes, notes)
        self.fault(2, "regular", "rvos-eval", *args, "-m", path, "-k", pipe, notes, notes)
        self.fault(2, "meta.json", "rvos-eval", *args, "-m", put(scratch("meta.json"), "{"),
                   notes, notes)


class Writing(FileTest):
    def setUp(self):
        self.top = fresh("writing")
        self.frames = os.path.join(self.top, "frames")
        common.clip_frames(self.frames, 2)
        self.out = os.path.join(self.top, "out")

    def segment(self, *args, **more):
        return common.run("rvos-segment", "-q", "-n", 1, "-s", "64x64", "-m", self.model, *args,
                          self.frames, self.out, **more)

    def test_links_are_replaced(self):
        """Links with a result's name, or with the name of a predictable temporary file."""
        target = put(self.top + "/target", "precious")
        os.makedirs(self.out)
        probs = self.top + "/p.npy"
        links = [self.out + "/00000.png", self.out + "/00000.png.part", probs, probs + ".part"]
        for link in links:
            os.symlink(target, link)
        os.symlink(self.top + "/nowhere", self.out + "/00001.png")
        code, _, err = self.segment("-d", probs)
        self.assertEqual(code, 0, err)
        self.assertEqual(Path(target).read_text(), "precious")
        self.assertFalse(os.path.exists(self.top + "/nowhere"))
        for path in (links[0], self.out + "/00001.png", probs):
            self.assertTrue(stat.S_ISREG(os.lstat(path).st_mode), path)

    def test_permissions(self):
        for mask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
            for _ in range(2):  # a new file, and one that is replaced
                old = os.umask(mask)
                try:
                    code, _, err = self.segment("-d", self.top + "/p.npy")
                finally:
                    os.umask(old)
                self.assertEqual(code, 0, err)
                for path in (self.out + "/00000.png", self.top + "/p.npy"):
                    self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), mode, path)
            shutil.rmtree(self.out)
            os.unlink(self.top + "/p.npy")

    def test_old_file_is_kept(self):
        """After an error the old array stays, and no other file is left."""
        probs = put(self.top + "/p.npy", "old")
        put(self.frames + "/00002.png", "no picture")
        code, _, err = self.segment("-d", probs)
        self.assertEqual(code, 2, err)
        self.assertEqual(Path(probs).read_text(), "old")
        self.no_leftovers(self.top)
        self.assertEqual(sorted(os.listdir(self.top)), ["frames", "out", "p.npy"])

    def test_full_disk(self):
        """A limit on file sizes acts like a full disk: one line, status 4, no partial file.
        (LLVM's OpenMP itself writes a file of 1024 bytes.)"""
        common.clip_frames(self.frames, 2, 240, 400)
        for args, bytes_, words in ((("-d", self.top + "/p.npy"), 16384, "p.npy"),
                                    ((), 1024, "00000.png")):
            shutil.rmtree(self.out, ignore_errors=True)
            script = f"ulimit -f {bytes_ // 512}; exec \"$@\""
            p = subprocess.run(["sh", "-c", script, "-", common.tool("rvos-segment"), "-q",
                                "-n1", "-s64x64", "-m", self.model, *args, self.frames,
                                self.out], capture_output=True, text=True)
            self.assertEqual(p.returncode, 4, p.stderr)
            self.assertEqual(len(p.stderr.splitlines()), 1, p.stderr)
            self.assertIn(words, p.stderr)
            self.assertIn("too large", p.stderr)
            self.no_leftovers(self.top)
            self.assertFalse(os.path.exists(self.top + "/p.npy"))

    def test_devices(self):
        """A device or pipe is written to, not replaced."""
        before = os.lstat("/dev/null")
        code, _, err = self.segment("-d", "/dev/null")
        self.assertEqual(code, 0, err)
        after = os.lstat("/dev/null")
        self.assertEqual((before.st_ino, before.st_rdev), (after.st_ino, after.st_rdev))
        code, _, err = self.segment("-d", "/dev/full")
        self.assertEqual(code, 4, err)
        self.assertIn("/dev/full: cannot be written: No space", err)
        self.assertTrue(os.path.exists("/dev/full"))

    def test_no_place(self):
        for path, words in ((self.top, "directory"), (self.top + "/no/p.npy", "No such file")):
            code, _, err = self.segment("-d", path)
            self.assertEqual(code, 4, err)
            self.assertIn(f"{path}: cannot be written: ", err)
            self.assertIn(words, err)


class Signals(FileTest):
    def run_until(self, number, folder, args, preexec=None):
        p = subprocess.Popen([common.tool("rvos-segment"), *args], stderr=subprocess.DEVNULL,
                             preexec_fn=preexec)
        for _ in range(600):
            time.sleep(0.05)
            if os.path.isdir(folder) and len(os.listdir(folder)) > 2 or p.poll() is not None:
                break
        self.assertIsNone(p.poll(), "it ended before the signal")
        p.send_signal(number)
        return p

    def setUp(self):
        self.top = fresh("signals")
        self.frames, self.out = self.top + "/frames", self.top + "/out"
        common.clip_frames(self.frames, 1, 400, 600, "ppm")
        for t in range(1, 3000):
            os.link(self.frames + "/00000.ppm", f"{self.frames}/{t:05d}.ppm")
        self.args = ("-q", "-j1", "-n1", "-s", "64x64", "-m", self.model, "-d",
                     self.top + "/p.npy", self.frames, self.out)

    def test_ended(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            shutil.rmtree(self.out, ignore_errors=True)
            p = self.run_until(number, self.out, self.args,
                               lambda: signal.signal(number, signal.SIG_DFL))
            self.assertEqual(p.wait(60), -number)
            self.assertEqual(sorted(os.listdir(self.top)), ["frames", "out"])
            for name in os.listdir(self.out):
                self.assertTrue(name.endswith(".png") and not name.startswith("."), name)
                read_mask(os.path.join(self.out, name))

    def test_ignored(self):
        """A signal that the parent ignores, as nohup does, stays ignored."""
        p = self.run_until(signal.SIGHUP, self.out, self.args,
                           lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        count = len(os.listdir(self.out))
        for _ in range(600):
            time.sleep(0.05)
            if len(os.listdir(self.out)) > count + 2 or p.poll() is not None:
                break
        self.assertIsNone(p.poll())
        self.assertGreater(len(os.listdir(self.out)), count)
        p.kill()
        p.wait(60)

    def test_killed(self):
        """After SIGKILL nothing can be removed; a file without a name vanishes by itself."""
        probe = os.path.join(self.top, "frames")
        try:
            os.close(os.open(probe, os.O_WRONLY | os.O_TMPFILE))
        except OSError:
            self.skipTest("no files without a name here")
        p = self.run_until(signal.SIGKILL, self.out, self.args)
        p.wait(60)
        self.assertEqual(sorted(os.listdir(self.top)), ["frames", "out"])


class Stdout(FileTest):
    def setUp(self):
        self.gt = scratch("stdout", "gt")
        for t in range(4):
            write_mask(f"{self.gt}/a/{t:05d}.png", np.ones((40, 40)))
        picture = self.gt + "/a/00000.png"
        self.commands = [("rvos-segment", "--help"), ("rvos-info", "--help"), ("rvos-info",),
                         ("rvos-info", self.model)]
        if os.path.exists(os.path.join(common.BIN, "rvos-eval")):
            results = put(scratch("results.json"), json.dumps({"results": [{"threads": 1}]}))
            self.commands += [
                ("rvos-eval", "--help"), ("rvos-eval", self.gt, self.gt),
                ("rvos-eval", picture, picture), ("rvos-eval", "-q", "-J-", self.gt, self.gt),
                ("rvos-eval", "-q", "-C-", self.gt, self.gt), ("rvos-bench", "--help"),
                ("rvos-bench", "--compare", results, results)]

    def test_full(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        for name, *args in self.commands:
            with open("/dev/full", "w") as full:
                p = subprocess.run([common.tool(name), *args], stdout=full,
                                   stderr=subprocess.PIPE, text=True)
            self.assertEqual(p.returncode, 4, (name, args, p.stderr))
            self.assertEqual(len(p.stderr.splitlines()), 1, p.stderr)
            self.assertIn("cannot be written", p.stderr)

    def test_closed(self):
        """If stdout is closed, no other file gets its descriptor number."""
        out = fresh("closed")
        for name, *args in self.commands:
            p = subprocess.run(["sh", "-c", "exec \"$@\" >&-", "-", common.tool(name), *args],
                               stderr=subprocess.PIPE, text=True)
            self.assertEqual(p.returncode, 4, (name, args, p.stderr))
        if os.path.exists(os.path.join(common.BIN, "rvos-eval")):
            p = subprocess.run(["sh", "-c", "exec \"$@\" >&- <&-", "-", common.tool("rvos-eval"),
                                "-J", out + "/x.json", self.gt, self.gt],
                               stderr=subprocess.PIPE, text=True)
            self.assertEqual(p.returncode, 4, p.stderr)
            json.loads(Path(out + "/x.json").read_text())

    def test_reader_leaves(self):
        """With `| head -1` the tool ends by SIGPIPE, silently, like other programs."""
        for name, *args in self.commands:
            reader, writer = os.pipe()
            os.close(reader)
            p = subprocess.run([common.tool(name), *args], stdout=writer,
                               stderr=subprocess.PIPE, text=True)
            os.close(writer)
            self.assertEqual((p.returncode, p.stderr), (-signal.SIGPIPE, ""), (name, args))


class Escapes(FileTest):
    def clean(self, text, lines=None):
        for c in HIDDEN:
            self.assertNotIn(c, text)
        self.assertTrue(all(c == "\n" or c.isprintable() for c in text), repr(text))
        if lines is not None:
            self.assertEqual(len(text.splitlines()), lines, text)

    def run_bytes(self, name, *args):
        p = subprocess.run([common.tool(name), *args], capture_output=True)
        return p.returncode, p.stdout.decode(), p.stderr.decode()  # fails if no UTF-8

    def evil_model(self, word):
        with open(self.model, "rb") as f:
            size = struct.unpack("<Q", f.read(8))[0]
            head, data = json.loads(f.read(size)), f.read()
        word(head)
        head = json.dumps(head).encode()
        head += b" " * (-len(head) % 8)
        return put(scratch("evil.safetensors"), struct.pack("<Q", len(head)) + head + data)

    def test_info(self):
        want = len(self.ok("rvos-info", self.model).splitlines())
        for text in (EVIL, EVIL * 400):
            def change(head):
                for key in ("rvos.licence", "rvos.provenance"):
                    head["__metadata__"][key] = text
            code, out, err = self.run_bytes("rvos-info", self.evil_model(change))
            self.assertEqual(code, 0, err)
            self.clean(out, want)
            self.assertIn("licence        e\\x1b[31m\\x07\\x9b\\u202e\\x0ax", out)
            self.assertLess(max(map(len, out.splitlines())), 2200)

    def test_model_errors(self):
        """Names of tensors and values in the messages of the library."""
        def base(head):
            head["__metadata__"]["rvos.base"] = EVIL
        def extra(head):
            any_ = next(k for k in head if k.startswith("encoder.base.conv1"))
            head["encoder." + EVIL] = head.pop(any_)
        for change in (base, extra):
            code, out, err = self.run_bytes("rvos-info", self.evil_model(change))
            self.assertEqual(code, 3, out)
            self.clean(err, 1)

    def test_names_of_files(self):
        for name in (EVIL.encode(), b"bad-\xff\xfe-utf8", b"x" * 200):
            folder = os.path.join(os.fsencode(fresh("names")), name)
            code, _, err = self.run_bytes("rvos-segment", "-q", "-m", self.model, folder, b"/o")
            self.assertEqual(code, 2)
            self.clean(err, 1)
            code, _, err = self.run_bytes("rvos-segment", "-q", "-m", folder, folder, b"/o")
            self.clean(err, 1)
            code, _, err = self.run_bytes("rvos-info", folder)
            self.assertEqual(code, 3)
            self.clean(err, 1)
            common.clip_frames(os.fsdecode(folder), 1)
            code, _, err = self.run_bytes("rvos-segment", "-n1", "-s64x64", "-m", self.model,
                                          folder, folder + b"-out")
            self.assertEqual(code, 0, err)
            self.clean(err)

    def test_long_path(self):
        """A message with a long path keeps the path's end and its own words."""
        path = scratch("/".join(["d" * 200] * 8), "frames")
        code, _, err = self.run_bytes("rvos-segment", "-q", "-m", self.model, path, "/o")
        self.assertEqual(code, 2)
        self.assertIn("d/frames: No such file", err)

    def test_eval(self):
        common.tool("rvos-eval")
        common.need_report("page")
        for name in (EVIL.encode(), b"<b>&'\"", b"bad-\xff-utf8"):
            top = os.fsencode(fresh("evil-eval"))
            for t in range(4):
                write_mask(os.fsdecode(os.path.join(top, b"gt", name, b"%05d.png" % t)),
                           np.ones((40, 40)))
            os.makedirs(os.path.join(top, b"gt", b"z" + name))
            gt = os.path.join(top, b"gt")
            code, out, err = self.run_bytes("rvos-eval", "-J", top + b"/x.json", "-H",
                                            top + b"/x.html", "-C", top + b"/x.csv", gt, gt)
            self.assertEqual(code, 2, err)
            self.clean(out)
            self.clean(err, 1)
            for file in ("x.json", "x.html", "x.csv"):
                self.clean(Path(os.fsdecode(top), file).read_bytes().decode())
            page = Path(os.fsdecode(top), "x.html").read_bytes().decode()
            self.assertNotIn("<b>&", page)
            self.assertIn('<img alt="" src="data:image/jpeg;base64,', page)
            with open(top + b"/x.json", "rb") as f:
                names = [s["name"] for s in json.load(f)["sequences"]]
            if name != b"bad-\xff-utf8":
                self.assertIn(name.decode(), names)

    def test_bench(self):
        common.tool("rvos-bench")
        common.need_report("charts")
        result = dict(encoder=EVIL + "<x>", engine=EVIL, task=EVIL, precision=EVIL, threads=1)
        path = put(scratch("evil.json"), json.dumps({"results": [result]}))
        code, out, err = self.run_bytes("rvos-bench", "--compare", path, path)
        self.assertEqual(code, 0, err)
        self.clean(out)
        code, out, err = self.run_bytes("rvos-bench", "--plot", scratch("x.svg"), path)
        self.assertEqual(code, 0, err)
        text = Path(scratch("x.svg")).read_text(encoding="utf-8")
        self.clean(text)
        self.assertNotIn("<x>", text)


if __name__ == "__main__":
    common.main()
