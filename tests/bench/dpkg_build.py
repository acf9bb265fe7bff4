#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""dpkg_build.py [FOLDER] [--frames 60] [--threads 1] [--against PROGRAM]: compares a build with a
distributor's flags with the default build, frame by frame in turn.

It builds both in FOLDER (default: a temporary one): with the defaults of `meson setup`, and with
dpkg-buildflags and --buildtype=plain, as dpkg-buildpackage does. It ends with 1 if the second
median is more than 5 % above the first. With --against the second side is that rvos-bench, such as
/usr/bin/rvos-bench of an installed package. The machine must be quiet.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from turns import ROOT, Side, in_turn, is_quiet

DPKG = ("-g -O2 -fstack-protector-strong -Wformat -Werror=format-security "
        "-Wdate-time -D_FORTIFY_SOURCE=2")


def dpkg_flags():
    """{variable: flags}; those of Debian 12 if dpkg is missing."""
    if not shutil.which("dpkg-buildflags"):
        return {"CFLAGS": DPKG, "LDFLAGS": "-Wl,-z,relro -Wl,-z,now"}
    text = subprocess.run(["dpkg-buildflags"], check=True, capture_output=True, text=True, env={
        **os.environ, "DEB_BUILD_MAINT_OPTIONS": "hardening=+all"}).stdout
    flags = dict(line.split("=", 1) for line in text.splitlines())
    return {name: flags[name] for name in ("CFLAGS", "CPPFLAGS", "LDFLAGS")}


def build(folder, flags, options):
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("CFLAGS", "CPPFLAGS", "LDFLAGS")}
    environment.update(flags)
    subprocess.run(["meson", "setup", *(["--wipe"] if folder.exists() else []), folder,
                    ROOT, "-Dcuda=disabled", "-Dgst=disabled", "-Dtests=disabled", *options],
                   check=True, env=environment, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", folder, "engine/tools/rvos-bench"], check=True,
                   stdout=subprocess.DEVNULL)
    return folder / "engine" / "tools" / "rvos-bench"


def measure(folder, frames, threads, against):
    programs = {"default": build(folder / "default", {}, []),
                "other": against or build(folder / "dpkg", dpkg_flags(), ["--buildtype=plain"])}
    sides = [Side(name, [program, "--serve", "--engine", "cpu", "--threads", threads])
             for name, program in programs.items()]
    in_turn(sides, frames)
    for side in sides:
        print(f"{side.name:8} median {side.median:7.1f} ms, least {min(side.times):7.1f} ms")
    ratio = sides[1].median / sides[0].median
    print(f"ratio of medians {ratio:.3f} (bar 1.05)")
    return ratio <= 1.05


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", nargs="?", type=pathlib.Path)
    p.add_argument("--frames", type=int, default=60)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--against", metavar="PROGRAM", help="another rvos-bench, not one built here")
    p.add_argument("--anyway", action="store_true", help="measure on a busy machine, too")
    a = p.parse_args()
    if not a.anyway and not is_quiet():
        print("not quiet: no measurement")
        return 1
    with tempfile.TemporaryDirectory() as name:
        return 0 if measure(a.folder or pathlib.Path(name), a.frames, a.threads,
                             a.against) else 1


if __name__ == "__main__":
    sys.exit(main())
