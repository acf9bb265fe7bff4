#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests data/rvos_train/files.py and its use in the programs of data/: inputs, results, lists,
text of files, signals, the standard output."""
import contextlib
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
import tracemalloc
import unittest
import zipfile
from pathlib import Path

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(os.path.dirname(os.path.dirname(HERE)), "data")
sys.path.insert(0, DATA)

try:
    import numpy as np
    from rvos_train import datasets, files, prepare, safetensors_io
    from PIL import Image
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)
from rvos_train.files import FileError, Guard, atomic

EVIL = "e\x1b[31m\x07\x9b\u202e\nx"


class FilesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rvos-test-")
        self.addCleanup(folder.cleanup)
        self.top = folder.name

    def path(self, *parts):
        path = os.path.join(self.top, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def put(self, name, data):
        path = self.path(name)
        Path(path).write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def get(self, path):
        return Path(path).read_bytes()

    def program(self, name, *args, **more):
        return subprocess.run([sys.executable, *os.path.join(DATA, name).split(), *args],
                              stderr=subprocess.PIPE, text=True, timeout=120, **more)


class Writing(FilesTest):
    def test_whole_or_not(self):
        path = self.put("f", "old")
        with self.assertRaises(ZeroDivisionError):
            with atomic(path) as f:
                f.write(b"half")
                1 / 0
        self.assertEqual((self.get(path), os.listdir(self.top)), (b"old", ["f"]))
        with atomic(path) as f:
            f.write(b"new")
            self.assertEqual(self.get(path), b"old")
        self.assertEqual((self.get(path), os.listdir(self.top)), (b"new", ["f"]))

    def test_named(self):
        """On a file system without O_TMPFILE."""
        real = os.open

        def without(path, flags, *more, **named):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(95, "not supported")
            return real(path, flags, *more, **named)
        os.open = without
        try:
            self.test_whole_or_not()
            self.test_permissions()
        finally:
            os.open = real

    def test_links(self):
        target = self.put("target", "precious")
        for name in ("link", "link.part"):
            os.symlink(target, self.path(name))
        with atomic(self.path("link")) as f:
            f.write(b"new")
        self.assertEqual(self.get(target), b"precious")
        self.assertFalse(os.path.islink(self.path("link")))
        self.assertEqual(self.get(self.path("link")), b"new")

    def test_permissions(self):
        for mask in (0o022, 0o077, 0o002):
            old = os.umask(mask)
            try:
                with atomic(self.path(f"p{mask}")) as f:
                    f.write(b"x")
            finally:
                os.umask(old)
            mode = stat.S_IMODE(os.stat(self.path(f"p{mask}")).st_mode)
            self.assertEqual(mode, 0o666 & ~mask)

    def test_no_place(self):
        for path in (self.top, self.path("no") + "/x/y"):
            with self.assertRaises(OSError) as e:
                with atomic(path) as f:
                    f.write(b"x")
            self.assertTrue(e.exception.strerror)
            self.assertEqual(e.exception.filename, path)
        before = os.lstat("/dev/null").st_ino
        with atomic("/dev/null") as f:
            f.write(b"x")
        self.assertEqual(os.lstat("/dev/null").st_ino, before)

    def test_full(self):
        with self.assertRaisesRegex(OSError, "No space"):
            with atomic("/dev/full") as f:
                f.write(b"x")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/full").st_mode))


class Inputs(FilesTest):
    def refuse(self, guard, path, words="is read by this command"):
        with self.assertRaisesRegex(FileError, words):
            guard.write(path)

    def test_guard(self):
        a = self.put("in/a", "x")
        os.link(a, self.path("hard"))
        os.symlink("in", self.path("soft"))
        guard = Guard(a, None, self.path("in"))
        for path in (a, self.path("in", "..", "in", "a"), self.path("hard"),
                     self.path("soft") + "/a", self.path("soft"), self.path("in") + "/"):
            self.refuse(guard, path)
        self.refuse(guard, self.top + "/new/../in/a", "leads out of a folder")
        for path in (self.path("b"), self.path("in", "b"), self.path("new", "b"), "/dev/null"):
            guard.write(path)
        guard.read(self.put("b", ""))
        self.refuse(guard, self.path("b"))

    def test_convert(self):
        for name in ("encoder.pt", "decoder.pt", "args.pkl"):
            path = self.put("model/" + name, "precious")
            for out in (path, os.path.join(self.top, "model", ".", name)):
                p = self.program("convert.py", os.path.dirname(path), "-o", out)
                self.assertEqual(p.returncode, 1)
                self.assertIn("is read by this command", p.stderr)
                self.assertEqual(self.get(path), b"precious")

    def pictures(self):
        for t in range(2):
            image = Image.fromarray(np.full((32, 32, 3), 90, np.uint8))
            image.save(self.path("clips/a", f"{t}.jpg"))
            Image.fromarray(np.ones((32, 32), np.uint8)).save(self.path("clips/a", f"{t}.png"))
        return "folder:" + self.path("clips")

    def test_prepare(self):
        source = self.pictures()
        os.link(self.path("clips/a/1.png"), self.path("hard"))
        for out in ("clips/a/0.jpg", "hard", "clips"):
            before = os.listdir(self.path("clips/a"))
            p = self.program("rvos_train prepare", source, "-o", os.path.join(self.top, out),
                             "--size", "32x32")
            self.assertEqual(p.returncode, 1, out)
            self.assertIn("is read by this command", p.stderr)
            self.assertEqual(os.listdir(self.path("clips/a")), before)
        prepare.prepare([source], self.path("a.zip"), (32, 32), say=lambda w: None)
        p = self.program("rvos_train prepare", "pack:" + self.path("a.zip"), "-o", self.path("a.zip"))
        self.assertEqual(p.returncode, 1)
        self.assertIn("is read by this command", p.stderr)
        self.assertEqual(prepare.verify(self.path("a.zip")), [])


class Lists(FilesTest):
    def test_good(self):
        for text in ("b\na\n", b"\xef\xbb\xbfb\r\na", "b\ra", "\n# c\n b \n\ta\nb\nb/\n",
                     "/JPEGImages/480p/b/00000.jpg /Annotations/480p/b/00000.png\nx/a\n"):
            self.assertEqual(files.sequences(self.put("l", text)), ["b", "a"], text)

    def test_bad(self):
        for text, words in (("a\n..\n", "line 2"), (".", "line 1"), ("a/..", "line 1"),
                            ("\n\n../a", "line 3"), ("a/../b", "line 1"), ("/", "line 1"),
                            ("", "names nothing"), ("#\n", "names nothing"),
                            (b"a\n\0", "line 2.*NUL"), ("a\n" + "x" * 5000, "line 2"),
                            ("y" * 300, "line 1"), ("a".encode("utf-16"), "UTF-16"),
                            (b"\xff", "UTF-8"), ("version https://git-lfs.github.com/spec/v1",
                                                 "git-lfs")):
            with self.assertRaisesRegex(FileError, words):
                files.sequences(self.put("l", text))

    def test_sizes(self):
        """A file may be as large as the limit; a small one takes little memory."""
        path = self.put("l", b"x" * (1 << 20))
        self.assertEqual(len(files.read_text(path, 1 << 20)), 1 << 20)
        with self.assertRaisesRegex(FileError, "too large: more than 0 MiB"):
            files.read_text(path, (1 << 20) - 1)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        files.read_text(path, 1 << 30)
        self.assertLess(tracemalloc.get_traced_memory()[1], 1 << 23)

    def test_no_file(self):
        os.mkfifo(self.path("pipe"))
        for path in (self.path("pipe"), self.top, "/dev/zero"):
            with self.assertRaisesRegex(FileError, "not a regular file"):
                files.lines(path)

    def test_names(self):
        for name in ("", ".", "..", "a/b", "/a", "x" * 256, "a\0", 3, None):
            self.assertFalse(files.is_name(name), name)
        for name in ("..", "a/../b", "/etc/x", "a//b", "../x"):
            self.assertFalse(files.is_inside(name), name)
        self.assertTrue(files.is_name("..a") and files.is_inside("val2017/x.jpg"))

    def test_datasets(self):
        """Names in JSON must not lead out of their folder."""
        coco = {"images": [{"id": 1, "file_name": "../x.jpg", "width": 4, "height": 4}],
                "annotations": [{"image_id": 1, "area": 1, "segmentation": []}]}
        path = self.put("c.json", json.dumps(coco))
        with self.assertRaisesRegex(FileError, "not the name of a file"):
            datasets.coco(path, self.top)
        coco["images"][0].update(file_name="x.jpg", width=1 << 20)
        with self.assertRaisesRegex(FileError, "must have a size from 1x1"):
            datasets.coco(self.put("c.json", json.dumps(coco)), self.top)
        self.put("train/meta.json", json.dumps({"videos": {"..": {}}}))
        with self.assertRaisesRegex(FileError, "not the name of a sequence"):
            datasets.youtube(self.top)
        for text in ("[1]", "{", '{"videos": 3}', '{"videos": {"a": 3}}', "[" * 100000,
                     '{"videos": {"a": {"objects": {"x": 1}}}}'):
            self.put("train/meta.json", text)
            with self.assertRaisesRegex(FileError, "no meta.json"):
                datasets.youtube(self.top)


class Text(FilesTest):
    def test_show(self):
        self.assertEqual(files.show(EVIL), "e\\x1b[31m\\x07\\x9b\\u202e\\x0ax")
        self.assertEqual(files.show("caf\u00e9 \u65e5\u672c"), "caf\u00e9 \u65e5\u672c")
        self.assertEqual(files.show(os.fsdecode(b"a\xffb")), "a\\xffb")
        self.assertLess(len(files.show("\x1b" * 10**6)), 250)
        deep = ()
        for _ in range(100000):
            deep = (deep, deep)
        for value in (deep, [1] * 10**6, 10**5000, {}):
            self.assertLess(len(files.show(value)), 40)
        while deep:  # free from outside in, because its own destructor would recurse
            deep = deep[0]

    def test_messages(self):
        """A name of a tensor, of a file, and of a sequence in a pack."""
        path = self.put("x.safetensors", b"")
        head = json.dumps({EVIL: {"dtype": "F32", "shape": [1], "data_offsets": [0, 9]}})
        self.put("x.safetensors", len(head).to_bytes(8, "little") + head.encode())
        with self.assertRaises(ValueError) as e:
            safetensors_io.read(path)
        self.assertTrue(str(e.exception).isprintable(), str(e.exception))
        p = self.program("convert.py", self.path(EVIL), "-o", self.path("o"))
        self.assertTrue(p.stderr.rstrip("\n").isprintable(), p.stderr)

    def test_impostors(self):
        pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
        page = "\n<!DOCTYPE html><html>"
        from rvos_train import checkpoint
        readers = {"x.safetensors": safetensors_io.read, "x.pt": checkpoint.read_state,
                   "args.pkl": checkpoint.read_args, "x.zip": datasets.Pack}
        for name, read in readers.items():
            for text, words in ((pointer, "git lfs pull"), (page, "web page")):
                with self.assertRaisesRegex(ValueError, words):
                    read(self.put(name, text))


class Packs(FilesTest):
    def pack(self, manifest, method=zipfile.ZIP_STORED, more=()):
        path = self.path("p.zip")
        with zipfile.ZipFile(path, "w", method) as z:
            z.writestr("manifest.json", manifest if isinstance(manifest, (str, bytes))
                       else json.dumps(manifest))
            for name, data in more:
                z.writestr(name, data)
        return path

    def test_hostile(self):
        good = dict(name="a/b", frames=1, exhaustive=False, objects=[1])
        source = [dict(name="a", licence="x")]
        for change in (dict(frames=10**12), dict(frames=-1), dict(frames="1"),
                       dict(name="../x"), dict(name=3), dict(exhaustive="no"),
                       dict(objects={}), dict(objects=["x"])):
            with self.assertRaisesRegex(FileError, "not a pack of prepare.py"):
                datasets.Pack(self.pack({"sources": source, "sequences": [{**good, **change}]}))
        for text in ("[]", "3", "{", "[" * 100000, '{"sources": 3, "sequences": 3}'):
            with self.assertRaisesRegex(FileError, "not a pack of prepare.py"):
                datasets.Pack(self.pack(text))

    def test_bomb(self):
        """An entry that unpacks to more than the file's size is refused before unpacking."""
        bomb = b"\0" * (128 << 20)
        path = self.pack({"sources": [], "sequences": []}, zipfile.ZIP_DEFLATED,
                         [("a/00000.jpg", bomb)])
        with self.assertRaisesRegex(FileError, "larger than the file"):
            datasets.Pack(path).read("a/00000.jpg")
        with self.assertRaisesRegex(FileError, "larger than the file"):
            datasets.Pack(self.pack(bomb, zipfile.ZIP_DEFLATED))


class Programs(FilesTest):
    NAMES = ("convert.py", "golden.py", "rvos_train prepare", "rvos_train ablation",
             "rvos_train made-clips")

    def test_full(self):
        for name in self.NAMES:
            with open("/dev/full", "w") as full:
                p = self.program(name, "--help", stdout=full)
            self.assertEqual(p.returncode, files.OUTPUT_LOST, (name, p.stderr))
            self.assertEqual(len(p.stderr.splitlines()), 1, p.stderr)
            self.assertIn(f"{name}: standard output: cannot be written", p.stderr)

    def test_commands(self):
        """Each command of the help exists, and a wrong one is an error."""
        p = self.program("rvos_train", "--help", stdout=subprocess.PIPE)
        named = re.findall(r"^  ([a-z-]+)  ", p.stdout, re.M)
        self.assertEqual((p.returncode, len(named)), (0, 10), p.stdout)
        for name in named:
            path = os.path.join(DATA, "rvos_train", name.replace("-", "_") + ".py")
            self.assertIn("\ndef main(argv=None):", Path(path).read_text(encoding="utf-8"), name)
        for name, words in (("", "name a command"), ("tain", "no command tain: one of train, ")):
            p = self.program("rvos_train " + name)
            self.assertEqual((p.returncode, len(p.stderr.splitlines())), (2, 1), p.stderr)
            self.assertIn(words, p.stderr)

    def test_missing_package(self):
        """-S leaves out the folders of packages."""
        for command in ([f"{DATA}/convert.py"], [f"{DATA}/rvos_train", "prepare"]):
            done = subprocess.run([sys.executable, "-S", *command, "--help"],
                                  capture_output=True, text=True)
            self.assertRegex(done.stderr, r"\A(convert.py|rvos_train prepare): needs the Python "
                                          r"package \w+, which is not installed for .*\n\Z")
            self.assertEqual(done.returncode, 1)

    def test_numbers_out_of_range(self):
        from rvos_train import evaluate, licensed_set, made_clips, prepare, probe
        for main, wrong in [(prepare.main, "--every 0"), (prepare.main, "--limit -1"),
                            (prepare.main, "--quality 101"), (evaluate.main, "--limit 0"),
                            (evaluate.main, "--frames 0"), (evaluate.main, "--slots 0"),
                            (probe.main, "--steps 0"), (licensed_set.main, "--jobs 0"),
                            (made_clips.main, "--seed -1"), (made_clips.main, "--frames x")]:
            err = io.StringIO()
            with self.assertRaises(SystemExit), contextlib.redirect_stderr(err):
                main([*wrong.split(), "a", "b"])
            option, value = wrong.split()
            self.assertRegex(err.getvalue(),
                             f"argument {option}: '{value}' is not a whole number from \\d")
        err = io.StringIO()
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(err):
            made_clips.main(["out", "--size", "100000x100000"])
        self.assertIn("'100000x100000' is not a size such as", err.getvalue())

    def test_full_at_once(self):
        """Without a buffer the write itself fails."""
        with open("/dev/full", "w") as full:
            p = self.program("convert.py", "--help", stdout=full,
                             env={**os.environ, "PYTHONUNBUFFERED": "1"})
        self.assertEqual(p.returncode, files.OUTPUT_LOST, p.stderr)
        self.assertEqual(len(p.stderr.splitlines()), 1, p.stderr)

    def test_reader_leaves(self):
        for name in self.NAMES:
            reader, writer = os.pipe()
            os.close(reader)
            p = self.program(name, "--help", stdout=writer)
            os.close(writer)
            self.assertEqual((p.returncode, p.stderr), (-signal.SIGPIPE, ""), name)

    def test_signals(self):
        """Both kinds of temporary file are removed, with and without a name."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for unnamed in (True, False):
                code = ("import os, sys, time; sys.path.insert(0, sys.argv[1])\n"
                        "from rvos_train import files\n"
                        f"if not {unnamed}: del os.O_TMPFILE\n"
                        "def main():\n"
                        "    with files.atomic(sys.argv[2] + '/x') as f:\n"
                        "        open(sys.argv[2] + '/ready', 'w').close()\n"
                        "        time.sleep(60)\n"
                        "sys.exit(files.run(main, 'x'))\n")
                p = subprocess.Popen([sys.executable, "-c", code, DATA, self.top],
                                     stderr=subprocess.DEVNULL, preexec_fn=lambda:
                                     signal.signal(number, signal.default_int_handler
                                                   if number == signal.SIGINT
                                                   else signal.SIG_DFL))
                while not os.path.exists(self.path("ready")) and p.poll() is None:
                    time.sleep(0.02)
                p.send_signal(number)
                self.assertEqual(p.wait(60), -number)
                self.assertEqual(os.listdir(self.top), ["ready"])
                os.unlink(self.path("ready"))


if __name__ == "__main__":
    unittest.main()
