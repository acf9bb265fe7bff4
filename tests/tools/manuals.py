#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""manuals.py PAGES PROGRAM...: checks that each program's manual page has exactly the options of
its --help, with their short forms and values, and that man finds no fault in it."""
import pathlib
import re
import shutil
import subprocess
import sys

LINE = re.compile(r"^  (?:-(\w), |    )--([\w-]+)(?: ([A-Z]\w*)| annotations)?(?:  |$)", re.M)
ENTRY = re.compile(r'^\.BR (?:\\-(\w) ", " )?\\-\\-(\S+)(?: " \\fI(\w+)\\fR")?$', re.M)


def options(pattern, text):
    """{(short, long, value)}; the value "" is a flag."""
    found = {(short, name.replace("\\-", "-"), value)
             for short, name, value in pattern.findall(text)}
    # A help text may have an option twice, once with a special value.
    return {o for o in found if o[2] or not any(p[2] and p[1] == o[1] for p in found)}


def main():
    pages, programs = pathlib.Path(sys.argv[1]), sys.argv[2:]
    bad = 0
    for program in programs:
        name = pathlib.Path(program).name
        path = pages / f"{name}.1"
        page = path.read_text()
        done = subprocess.run([program, "--help"], check=True, text=True, capture_output=True)
        there, wanted = options(ENTRY, page), options(LINE, done.stdout)
        if not wanted:
            sys.exit(f"{name} --help: no option was found")
        for what, which in (("lacks", wanted - there), ("has, but not --help", there - wanted)):
            for option in sorted(which):
                print(f"{path.name} {what}: {option}")
                bad += 1
        if shutil.which("man"):
            done = subprocess.run(["man", "--warnings", "-l", path], text=True,
                                  capture_output=True)
            if done.stderr or done.returncode:
                print(path.name, done.stderr)
                bad += 1
        print(f"{path.name}: {len(wanted)} options")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
