# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shared by all tests in Python: paths, skipping, a scratch folder, the exit status."""
import contextlib
import importlib
import io
import os
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Reference outputs lie beside the checkout and are not part of it. Tests skip without them.
SHARED = os.environ.get("RVOS_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
GOLDEN = os.path.join(SHARED, "golden")


PYTHON = "/usr/bin/python3"  # the one with the packages of the system


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def need(*modules):
    """Skip if a module is not installed."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as e:
            skip(e)


def need_code(code):
    """Skip if the system's Python cannot run the code."""
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        skip(done.stderr.strip().splitlines()[-1])


def need_elements(*names):
    for name in names:
        if subprocess.run(["gst-inspect-1.0", name], capture_output=True, check=False).returncode:
            skip(f"no element {name}")


def wait(what, condition, seconds=60, tell=lambda: ""):
    """Wait for a condition and return its value; tell() says more in the message of a failure."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            print(f"ok: {what}", flush=True)
            return found
        time.sleep(0.2)
    sys.exit(f"failed: {what} within {seconds} s{tell()}")


class Checks:
    """check(good, what) counts; check.end() prints the sum and returns the exit status."""
    done = failed = 0

    def __call__(self, good, what):
        self.done += 1
        if not good:
            self.failed += 1
            print("failed:", what)

    def end(self):
        print(f"{self.done} checks, {self.failed} failed")
        return int(self.failed > 0)


_folder = None


def scratch(*parts):
    """A path in one temporary folder for the whole run; its parents are made."""
    global _folder
    if _folder is None:
        _folder = tempfile.TemporaryDirectory(prefix="rvos-test-")
    path = os.path.join(_folder.name, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def captured(program, *args):
    """(status, output, errors) of a program's main()."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = program(list(map(str, args)))
        except SystemExit as e:
            status = e.code
    return status, out.getvalue(), err.getvalue()


class Result(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main():
    """Runs the caller's tests: 0 passed, 1 failed, 77 all skipped."""
    runner = unittest.TextTestRunner(verbosity=1, resultclass=Result)
    result = unittest.main(exit=False, testRunner=runner).result
    if result.wasSuccessful() and not result.passed:
        for _, why in result.skipped[:1]:
            print(f"skipped: {why}")
        sys.exit(77)
    sys.exit(not result.wasSuccessful())
