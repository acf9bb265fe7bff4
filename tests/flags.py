#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""flags.py SOURCE_ROOT MESON: checks that the library is compiled with -O3, whatever flags a
distributor sets.

It sets up builds and reads their command lines, without compiling. The last -O of a line wins.
Cases with the same CFLAGS share a folder, which is set up once more with each one's options.
"""
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

root, meson = pathlib.Path(sys.argv[1]), sys.argv[2]
OFF = [f"-D{name}=disabled" for name in ("cuda", "gst", "python", "tests", "tools")]
# name: CFLAGS, options of the setup, the -O that must win
CASES = {
    # dpkg-buildflags of Debian 12, and what debhelper asks of Meson
    "dpkg": ("-g -O2 -ffile-prefix-map=/build=. -fstack-protector-strong -Wformat "
             "-Werror=format-security", ["--buildtype=plain"], "-O3"),
    "-O2 -g": ("-O2 -g", ["--buildtype=plain"], "-O3"),
    "-O0": ("-O0", [], "-O3"),
    "-Os": ("-Os", ["--buildtype=plain"], "-O3"),
    "none": ("", [], "-O3"),  # before those with options, which the folder would keep
    "none, plain": ("", ["--buildtype=plain"], "-O3"),
    "none, release": ("", ["--buildtype=release"], "-O3"),
    # a debug build is asked for by Meson's option
    "none, debug": ("", ["--buildtype=debug"], "-O0"),
}


def last_level(command):
    levels = [word for word in command if word.startswith("-O")]
    return levels[-1] if levels else "-O0"


def check(top, name, cflags, options, wanted):
    """The number of files of the library with a wrong level."""
    folder = pathlib.Path(top, cflags.replace("/", "_") or "none")
    again = ["--reconfigure"] if folder.exists() else []
    setup = subprocess.run([meson, "setup", folder, root, *again, *OFF, *options],
                           env={**os.environ, "CFLAGS": cflags}, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if setup.returncode:
        print(setup.stdout)
        sys.exit(f"{name}: meson setup fails")
    commands = json.loads((folder / "compile_commands.json").read_text())
    files = bad = winograd = 0
    for entry in commands:
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        source = path.relative_to(root.resolve())
        if source.parts[:2] != ("engine", "src") and source.name != "bench_peak.c":
            continue
        files += 1
        winograd += source.name == "winograd.c"
        command = shlex.split(entry["command"])
        if last_level(command) != wanted:
            bad += 1
            print(f"{name}: {source} is compiled with {last_level(command)}, not {wanted}")
    if files < 20 or not winograd:
        bad += 1
        print(f"{name}: only {files} files were found, of winograd.c {winograd}")
    return bad


with tempfile.TemporaryDirectory() as folder:
    bad = sum(check(folder, name, *case) for name, case in CASES.items())
print(f"{len(CASES)} setups, {bad} files with the wrong level")
sys.exit(1 if bad else 0)
