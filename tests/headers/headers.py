#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""headers.py SOURCE_ROOT CC...: checks that each header compiles alone, and rvos.h as strict C11,
C17 and, with a C++ compiler, C++17."""
import pathlib
import shutil
import subprocess
import sys

root, cc = pathlib.Path(sys.argv[1]), sys.argv[2:]
warnings = ["-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"]
failed = checked = 0


def compiles(header, command):
    global failed, checked
    checked += 1
    # Compile an #include: a header that is the main file warns about its own pragmas.
    r = subprocess.run([*command, *warnings, "-fsyntax-only", "-"], text=True,
                       input=f'#include "{header}"\nint main(void) {{ return 0; }}\n',
                       capture_output=True)
    if r.returncode:
        failed += 1
        print(f"{header.relative_to(root)}: {' '.join(command)}\n{r.stderr}")


def flags(*packages):
    r = subprocess.run(["pkg-config", "--cflags", *packages], capture_output=True, text=True)
    return r.stdout.split() if r.returncode == 0 else None


public = root / "engine" / "include" / "rvos.h"
for std in ("c11", "c17"):
    compiles(public, [*cc, "-x", "c", f"-std={std}", "-Wpedantic"])
cxx = next((c for c in ("c++", "g++", "clang++") if shutil.which(c)), None)
if cxx:
    compiles(public, [cxx, "-x", "c++", "-std=c++17", "-Wpedantic"])
else:
    print("no C++ compiler: rvos.h is compiled as C alone")

engine = [*cc, "-x", "c", "-std=c11", "-Wpedantic", "-D_GNU_SOURCE",
          "-I", str(root / "engine" / "include"), "-I", str(root / "engine" / "src"),
          "-I", str(root / "engine" / "pictures")]
for header in sorted((root / "engine" / "src").rglob("*.h")):
    if "cuda" not in header.parts:  # those are compiled with the CUDA engine
        compiles(header, engine)
for header in sorted((root / "engine" / "tools").glob("*.h")):
    compiles(header, engine)
gst = flags("gstreamer-1.0", "gstreamer-base-1.0", "gstreamer-video-1.0")
if gst is None:
    print("no GStreamer: the headers of gst/ are left out")
else:
    for header in sorted((root / "gst").glob("*.h")):
        compiles(header, [*cc, "-x", "c", "-std=c11", "-D_GNU_SOURCE", *gst,
                          "-I", str(root / "engine" / "include"),
                          "-I", str(root / "engine" / "pictures")])
print(f"{checked} compilations, {failed} failed")
sys.exit(1 if failed or checked < 20 else 0)
