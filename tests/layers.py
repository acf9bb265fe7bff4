#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""layers.py SOURCE_ROOT [LIBRVOS.SO [PLUGIN.SO]]: checks who includes whom, the length of files
and functions, forbidden calls of a library, and what the built libraries export and keep as
mutable data.

    gst/  engine/tools/  -->  engine/include/rvos.h  <--  engine/src/, but net/
    gst/  engine/tools/  -->  engine/pictures/pictures.h
    engine/pictures/     -->  itself, libpng, libjpeg
    engine/src/*.c       -->  each other, net/program.h; no backend's folder
    cpu/, cuda/          -->  their own folder, pixels/, backend.h, log.h, turn.h, net/program.h
    pixels/              -->  itself, rvos.h
    net/                 -->  itself and libc
"""
import pathlib
import re
import subprocess
import sys

FILE_WARN, FILE_FAIL = 500, 600
FUNCTION_WARN, FUNCTION_FAIL = 60, 100
NET_LINES = 1000  # the network as data must not grow into a framework

root = pathlib.Path(sys.argv[1])
faults, warnings = [], []


def sources(*folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".cu", ".cuh"):
                yield path


# ---- #include ---------------------------------------------------------------------------

SHARED = {"rvos.h", "backend.h", "f16.h", "log.h", "turn.h", "net/program.h",
          "type.h"} | {
    f"pixels/{name}.h" for name in ("clones", "color", "draw", "filter", "objects")}
# Libraries, by the beginnings of their headers' names, and the only places that may include them.
LIBRARIES = {
    r"dnnl|omp\.h": r"engine/src/cpu/conv_onednn\.c",
    r"cuda|cudnn|cublas": r"engine/src/cuda/|gst/gstrvos.*cuda|tests/",
    r"png\.h|jpeglib|jerror": r"engine/pictures/|engine/tools/frames\.c|tests/",
    r"pango|cairo": r"gst/gstrvostext\.c",
    r"gst/|glib|gio/": r"gst/|tests/gst/|engine/tools/through_gst\.c|tests/bench/",
}


def resolve(path, name):
    """The file that an #include "name" of `path` means, relative to the root; else the name."""
    for base in (path.parent, root / "engine" / "src", root / "engine" / "include",
                 root / "engine" / "src" / "cuda", root / "engine" / "pictures",
                 root / "tests", root / "gst", root / "tests" / "gst"):
        if (base / name).is_file():
            return (base / name).resolve().relative_to(root.resolve()).as_posix()
    return name


def allowed(user, used):
    """Whether a file may include another one of the tree."""
    if user.startswith("engine/src/cuda/") and used == "emulation.h":
        return True  # CUDA's keywords in plain C++, for tests without a GPU
    if used == "engine/include/rvos.h":
        return not user.startswith(("engine/src/net/", "engine/pictures/"))
    if user.startswith("engine/src/pixels/"):
        return used.startswith("engine/src/pixels/")
    for folder in ("engine/src/net/", "engine/src/cpu/", "engine/src/cuda/"):
        if user.startswith(folder):
            inner = used.removeprefix("engine/src/")
            return used.startswith(folder) or inner == "type.h" or (
                folder != "engine/src/net/" and used.startswith("engine/src/")
                and inner in SHARED)
    if user.startswith("engine/src/"):
        inner = used.removeprefix("engine/src/")
        return used.startswith("engine/src/") and ("/" not in inner or inner in SHARED)
    if user.startswith("engine/include/"):
        return False
    if user.startswith("engine/pictures/"):
        return used.startswith("engine/pictures/")
    if user.startswith("engine/tools/"):
        return used.startswith("engine/tools/") or used == "engine/pictures/pictures.h"
    if user.startswith("gst/"):
        return used.startswith("gst/") or used == "engine/pictures/pictures.h"
    if user.startswith("tests/gst/") or user == "tests/fuzz/properties_fuzz.c":
        return used.startswith(("tests/", "gst/"))
    return used.startswith(("tests/", "engine/"))  # tests of the engine see all of it


def check_includes():
    seen = 0
    for path in sources("engine", "gst", "tests"):
        user = path.relative_to(root).as_posix()
        for kind, name in re.findall(r'^\s*#\s*include\s*(["<])([^">]+)[">]',
                                     path.read_text(), re.M):
            used = resolve(path, name) if kind == '"' or name in ("rvos.h", "pictures.h") else None
            if used:
                seen += 1
                if not allowed(user, used):
                    faults.append(f"{user}: must not include {name}")
            for pattern, place in LIBRARIES.items():
                if re.match(pattern, name) and kind == "<" and not re.match(place, user):
                    faults.append(f"{user}: <{name}> belongs to {place} alone")
    if seen < 100:
        faults.append(f"only {seen} includes were found: is this the source tree?")


# ---- size -------------------------------------------------------------------------------

def functions(lines):
    """(line, length) of function bodies; .clang-format puts their braces in column 0."""
    start = None
    for i, line in enumerate(lines, 1):
        if line == "{":
            start = i
        elif line.startswith("}") and start:
            yield start, i - start + 1
            start = None


def measure(where, length, warn, fail, what):
    if length > fail:
        faults.append(f"{where}: {what} of {length} lines, more than {fail}")
    elif length > warn:
        warnings.append(f"{where}: {what} of {length} lines, more than {warn}")


def check_sizes():
    scripts = [p for p in sorted(root.glob("[!.]*/**/*.py"))
               if ".venv" not in p.parts and not p.relative_to(root).parts[0].startswith("build")]
    for path in [*sources("engine", "gst", "tests"), *scripts]:
        lines = path.read_text().split("\n")
        where = path.relative_to(root).as_posix()
        measure(where, len(lines) - 1, FILE_WARN, FILE_FAIL, "a file")
        if path.suffix != ".py":
            for start, length in functions(lines):
                measure(f"{where}:{start}", length, FUNCTION_WARN, FUNCTION_FAIL, "a function")
        first = lines[1] if lines[0].startswith("#!") else lines[0]
        if "SPDX-License-Identifier: LGPL-2.1-or-later" not in first:
            faults.append(f"{where}: the first line names no licence")
    net = sum(len(p.read_text().splitlines()) for p in sources("engine/src/net"))
    if net > NET_LINES:
        faults.append(f"engine/src/net: {net} lines, more than {NET_LINES}")


def check_scripts():
    """Programs for users must not need files of the tests."""
    for folder in ("data", "engine", "gst"):
        for path in (p for p in (root / folder).rglob("*") if p.suffix in (".py", ".sh")):
            if re.search(r"""["'/]tests["'/]""", path.read_text()):
                faults.append(f"{path.relative_to(root)}: uses a file of tests/")


# ---- what a library must not do ---------------------------------------------------------

FORBIDDEN = re.compile(r"(?<![\w.>])(_?exit|_Exit|quick_exit|abort|assert|v?printf|v?dprintf|puts|"
                       r"putchar|perror|system|g_error|g_assert\w*|g_print\w*|"
                       r"(?=v?fprintf\s*\(\s*std(?:out|err))v?fprintf)\s*\(")


def code_of(text):
    """Remove comments and strings, and keep the lines."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda m: "\n" * m.group().count("\n") or " ", text, flags=re.S)


def check_calls():
    for path in sources("engine/src", "engine/pictures", "gst"):
        if "examples" in path.parts:  # applications
            continue
        for i, line in enumerate(code_of(path.read_text()).split("\n"), 1):
            for call in FORBIDDEN.findall(line):
                if call == "g_assert_not_reached":  # aborts only if GLib has failed
                    warnings.append(f"{path.relative_to(root)}:{i}: {call}()")
                elif "__attribute__" not in line:
                    faults.append(f"{path.relative_to(root)}:{i}: a library calls no {call}()")


# ---- what was built ---------------------------------------------------------------------

# Symbols of the C run time and the compiler.
RUNTIME = re.compile(r"completed\.\d+|__dso_handle|__TMC_END__|_edata|_end|__bss_start|"
                     r"__cpu_model|__cpu_features2?|__gcov.*|dtor_idx.*|object\.\d+")


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args], check=True, capture_output=True,
                          text=True).stdout.split("\n")


def check_library(path, exports):
    sections = {}
    for line in readelf("-S", path):
        m = re.match(r"\s*\[\s*(\d+)\]\s+(\S+)", line)
        if m:
            sections[m.group(1)] = m.group(2)
    seen = 0
    for table in ("--dyn-syms", "-s"):
        for line in readelf(table, path):
            f = line.split()
            if len(f) < 8 or not f[0].rstrip(":").isdigit():
                continue
            size, kind, bind, visible, section, name = int(f[2], 0), *f[3:8]
            name = name.split("@")[0]
            if section == "UND" or RUNTIME.fullmatch(name):
                continue
            if table == "--dyn-syms" and bind in ("GLOBAL", "WEAK"):
                seen += 1
                if not re.match(exports, name):
                    faults.append(f"{path}: exports {name}")
            home = sections.get(section, "")
            if table == "-s" and kind in ("OBJECT", "TLS") and size and \
                    exports.startswith("rvos") and home in (".data", ".bss", ".tdata", ".tbss"):
                faults.append(f"{path}: keeps {name}, {size} mutable bytes in {home}")
    if not seen:
        faults.append(f"{path}: exports nothing")


check_includes()
check_sizes()
check_scripts()
check_calls()
for library, names in zip(sys.argv[2:], ("rvos_", "gst_plugin_")):
    check_library(library, names)
for line in warnings:
    print(f"warning: {line}")
for line in faults:
    print(f"fault: {line}")
print(f"{len(faults)} faults, {len(warnings)} warnings")
sys.exit(1 if faults else 0)
