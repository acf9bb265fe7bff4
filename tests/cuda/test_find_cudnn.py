#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""test_find_cudnn.py FINDER MESON [CUDNN_PLANS] - tests which cuDNN the build finds, in folders
made here, and which one a program reports as loaded.

FINDER is engine/src/cuda/cudnn/meson.build. The fake libraries have one function each.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

finder, meson = sys.argv[1:3]
PROJECT = """
project('finds', 'c', meson_version: '>= 1.0')
fs = import('fs')
cc = meson.get_compiler('c')
cuda_inc = '{0}/include'
cuda_libs = ['{0}/lib64', '{0}/lib']
subdir('cudnn')
if cudnn_dep.found()
  executable('calls', 'calls.c', dependencies: cudnn_dep)
endif
"""


def library(path, value):
    """Make a library with the soname of the real one, under any file name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name.split(".so")[0] + ".so.9"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", path, f"-Wl,-soname,{name}"],
                   input=f"int cudnnCreate(void) {{ return {value}; }}", text=True, check=True)


def headers(folder, version):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cudnn.h").write_text("int cudnnCreate(void);\n")
    major, minor, patch = version.split(".")
    (folder / "cudnn_version.h").write_text(
        f"#define CUDNN_MAJOR {major}\n#define CUDNN_MINOR {minor}\n#define CUDNN_PATCHLEVEL {patch}\n")


class Place:
    """A project, the toolkit that it searches, and Python's packages."""

    def __init__(self, root):
        self.root = root
        self.toolkit, self.python = root / "toolkit", root / "python"
        self.pip = self.python / "nvidia" / "cudnn"
        headers(self.toolkit / "include", "9.14.1")
        (root / "cudnn").mkdir()
        shutil.copy(finder, root / "cudnn" / "meson.build")
        (root / "calls.c").write_text("int cudnnCreate(void); int main(void) { return cudnnCreate(); }\n")
        (root / "meson.build").write_text(PROJECT.format(self.toolkit))

    def find(self):
        """Meson's line about cuDNN, and the result of the linked program without environment."""
        env = {k: v for k, v in os.environ.items()
               if k not in ("CFLAGS", "LDFLAGS", "LIBRARY_PATH", "LD_LIBRARY_PATH", "PYTHONPATH")}
        env["PYTHONPATH"] = str(self.python)
        # The linker's own folders may have a cuDNN on this machine.
        compiler = self.root / "cc"
        compiler.write_text('#!/bin/sh\nfor a; do case $a in -l:*) exit 1 ;; esac; done\nexec cc "$@"\n')
        compiler.chmod(0o755)
        env["CC"] = str(compiler)
        build = self.root / "build"
        said = subprocess.run([meson, "setup", build, self.root], env=env, text=True,
                              capture_output=True)
        assert said.returncode == 0, said.stdout + said.stderr
        line = re.search(r"Message: cuDNN: (.*)", said.stdout).group(1).replace(str(self.root) + "/", "")
        self.warned = "WARNING: cuDNN 9 is needed" in said.stdout
        subprocess.run(["ninja", "-C", build], env=env, check=True, capture_output=True)
        program = build / "calls"
        if not program.exists():
            return line, None
        env["LD_LIBRARY_PATH"] = str(self.toolkit / "lib64")
        return line, subprocess.run([program], env=env).returncode


def check(what, fill, wanted, value, warned=False):
    with tempfile.TemporaryDirectory() as folder:
        place = Place(pathlib.Path(folder).resolve())
        fill(place)
        got = place.find()
        assert re.fullmatch(wanted, got[0]) and got[1] == value and place.warned == warned, (what, got)
        print("ok:", what, "->", got[0])


def only_versioned(p):
    library(p.toolkit / "lib64" / "libcudnn.so.9", 42)


def graph_first(p):
    library(p.toolkit / "lib64" / "libcudnn.so", 42)
    library(p.toolkit / "lib64" / "libcudnn_graph.so.9", 43)


def unversioned_file(p):
    library(p.toolkit / "lib64" / "libcudnn_graph.so", 44)
    library(p.toolkit / "lib64" / "libcudnn_graph.so.9", 44)


def useless(p):
    (p.toolkit / "lib64").mkdir()
    (p.toolkit / "lib64" / "libcudnn_graph.so").write_text("no library")
    only_versioned(p)


def from_pip(p):
    library(p.pip / "lib" / "libcudnn_graph.so.9", 45)
    shutil.rmtree(p.toolkit / "include")
    headers(p.pip / "include", "9.14.0")


def too_old(p):
    only_versioned(p)
    headers(p.toolkit / "include", "8.9.7")


def loaded(program):
    said = subprocess.run([program, "version"], text=True, capture_output=True, check=True).stdout
    match = re.fullmatch(r"cuDNN 9\.\d+\.\d+, (.*libcudnn.*\.so\.9.*)\n", said)
    assert match and pathlib.Path(match.group(1)).exists(), said
    print("ok:", said, end="")


def main():
    tail = r", headers of version 9\.14\.1"
    check("only libcudnn.so.9", only_versioned, r"libcudnn\.so\.9 in toolkit/lib64" + tail, 42)
    check("the part before the whole", graph_first, r"libcudnn_graph\.so\.9 in toolkit/lib64" + tail, 43)
    check("without a version", unversioned_file, r"libcudnn_graph\.so in toolkit/lib64" + tail, 44)
    check("a file that is no library", useless, r"libcudnn\.so\.9 in toolkit/lib64" + tail, 42)
    check("cuDNN 8", too_old, r"libcudnn\.so\.9 in toolkit/lib64, headers of version 8\.9\.7", None, True)
    check("pip's", from_pip, r"libcudnn_graph\.so\.9 in python/nvidia/cudnn/lib, "
          r"headers of version 9\.\d+\.\d+", 45)
    check("none", lambda p: None, "not found", None)
    if len(sys.argv) > 3:
        loaded(sys.argv[3])


main()
