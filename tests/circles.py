#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""circles.py SOURCE_ROOT FOLDER OBJECTS [FOLDER OBJECTS ...]: prints which file of a folder
calls which other file, by the symbols of its objects, and which header includes which other
header. A circle is a fault, and so is a call or an include from a room to one above it.
OBJECTS is the folder that holds the objects of FOLDER's files, under Meson's names.

circles.py selftest CC: tests the check itself on folders with known faults."""
import pathlib
import re
import subprocess
import sys
import tempfile

# The rooms of a folder from the lowest to the highest, each as one or several prefixes of paths.
# Files in none of them are above all rooms. Other folders have one room.
ROOMS = {
    "engine/src/cuda": ["kernels/", "device/", "conv/", "program/"],
    # Leaves, given masks, the segmenter; the element is above them.
    "gst": [tuple(f"gstrvos{name}." for name in (
                "analytics", "cuda", "cut", "frame", "image", "maskalloc",
                "meta", "model", "notice", "numbers", "props", "shape", "time", "track",
                "words")),
            tuple(f"gstrvos{name}." for name in (
                "maskfiles", "requests", "seedmeta", "seeds")),
            "gstrvossegment"],
}

faults = []


def symbols(path):
    """The names that an object defines, and those that it needs from others."""
    defined, needed = set(), set()
    for line in subprocess.run(["nm", str(path)], check=True, capture_output=True,
                               text=True).stdout.splitlines():
        kind, name = line.split()[-2:]
        if kind == "U":
            needed.add(name)
        elif kind in "TDBRSGVWC":
            defined.add(name)
    return defined, needed


def calls(folder, objects):
    """file -> {file: names}, for C files. Files that were not built are left out."""
    home, needed = {}, {}
    for path in sorted(folder.rglob("*.c")):
        name = path.relative_to(folder).as_posix()
        built = objects / (name.replace("/", "_") + ".o")
        if built.is_file():
            defines, needed[name] = symbols(built)
            home.update(dict.fromkeys(defines, name))
    return {user: group((home[s], s) for s in names if home.get(s, user) != user)
            for user, names in needed.items()}


def includes(folder, suffixes):
    """file -> {file: names}, for files with one of the suffixes."""
    graph = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix in suffixes):
        found = re.findall(r'^\s*#\s*include\s*"([^"]+)"', path.read_text(), re.M)
        used = [(path.parent / name).resolve() for name in found]
        graph[path.relative_to(folder).as_posix()] = group(
            (u.relative_to(folder.resolve()).as_posix(), "#include")
            for u in used if u.is_file() and folder.resolve() in u.parents)
    return graph


def group(pairs):
    result = {}
    for key, value in sorted(pairs):
        result.setdefault(key, []).append(value)
    return result


def circles(graph):
    """Sets of files that reach each other (Tarjan's strongly connected components)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def level(name, rooms):
    return next((i for i, room in enumerate(rooms) if name.startswith(room)), len(rooms))


def check(where, what, graph, rooms):
    for user in sorted(graph):
        for used, names in graph[user].items():
            print(f"{where}: {user} -> {used}: {', '.join(names)}")
            if level(used, rooms) > level(user, rooms):
                faults.append(f"{where}: {user} {what} {used}, which is above it")
    for circle in circles(graph):
        faults.append(f"{where}: a circle: {', '.join(circle)}")


def check_folder(root, where, objects):
    folder, rooms = root / where, ROOMS.get(where, [])
    graph = calls(folder, objects)
    if len(graph) < 2:
        faults.append(f"{where}: {objects} holds no objects of it")
    check(where, "calls", graph, rooms)
    check(where, "includes", includes(folder, (".h", ".cuh")), rooms)
    for user, used in includes(folder, (".c", ".cu")).items():
        for other in used:
            if level(other, rooms) > level(user, rooms):
                faults.append(f"{where}: {user} includes {other}, which is above it")


def selftest(cc):
    """Each test folder must give exactly its known fault."""
    good = {"low/a.c": "int a(void) { return 1; }", "low/b.h": "",
            "low/c.h": '#include "b.h"', "high/d.h": "",
            "high/b.c": '#include "../low/b.h"\nint a(void); int b(void) { return a(); }'}
    cases = [({}, None),
             ({"low/a.c": "int b(void); int a(void) { return b(); }"}, "circle"),
             ({"low/a.c": "int c(void); int a(void) { return c(); }",
               "high/c.c": "int c(void) { return 1; }"}, "low/a.c calls high/c.c"),
             ({"low/b.h": '#ifndef B\n#define B\n#include "c.h"\n#endif'}, "circle"),
             ({"low/a.c": '#include "../high/d.h"\nint a(void) { return 1; }'},
              "low/a.c includes high/d.h")]
    for extra, wanted in cases:
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            for path, text in {**good, **extra}.items():
                (root / "made" / path).parent.mkdir(parents=True, exist_ok=True)
                (root / "made" / path).write_text(text + "\n")
            for path in {**good, **extra}:
                if path.endswith(".c"):
                    subprocess.run([*cc, "-c", str(root / "made" / path), "-o",
                                    str(root / (path.replace("/", "_") + ".o"))], check=True)
            faults.clear()
            ROOMS["made"] = ["low/", "high/"]
            check_folder(root, "made", root)
            said = "; ".join(faults)
            if (wanted or "") not in said or bool(said) != bool(wanted):
                sys.exit(f"of {extra}: wanted {wanted}, got {said}")
    print("the faults of all test folders were found")


if __name__ == "__main__":
    if sys.argv[1] == "selftest":
        selftest(sys.argv[2:])
        sys.exit(0)
    for where, objects in zip(sys.argv[2::2], sys.argv[3::2]):
        check_folder(pathlib.Path(sys.argv[1]), where, pathlib.Path(objects))
    for line in faults:
        print(f"fault: {line}")
    print(f"{len(faults)} faults")
    sys.exit(1 if faults else 0)
