#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""citations.py SOURCE_ROOT: checks that what comments cite is in the tree.

It reads the comments of C, CUDA, Python, shell and Meson files, and Python's docstrings. Each
Markdown page that one names must exist: from the root, from docs/, or beside the file. So must a
heading in quotes after the page's name. Names of source files must be those of files of the tree.
"""
import ast
import io
import pathlib
import re
import sys
import tokenize

# Pages that programs of the tree write.
WRITTEN = {"ablation.md", "model.md"}
# Headers of libraries.
FOREIGN = {"dnnl.h", "omp.h", "cuda.h", "cudaGL.h", "jpeglib.h", "math.h", "stdio.h"}
SOURCE = re.compile(r"[\w./-]*\w\.(?:cuh|cu|py|sh|c|h)\b(?!\.)")
PAGE = re.compile(r"([\w./-]*\w\.md)\b(?:[,:]?\s+\"([^\"]+)\")?")
SUFFIXES = {".c", ".h", ".cu", ".cuh", ".py", ".sh"}
SKIPPED = re.compile(r"^(build|\.|demo-output|dist)")


def files(root):
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if not SKIPPED.match(parts[0]) and "__pycache__" not in parts and path.is_file():
            if path.suffix in SUFFIXES or path.name == "meson.build":
                yield path


def comments_c(text):
    """(first line, comment) of C and CUDA text."""
    strings_too = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
    for match in re.finditer(strings_too, text, re.S):
        if match.group().startswith("/"):
            body = re.sub(r"\s*\n\s*\*?\s*", " ", match.group())
            yield text.count("\n", 0, match.start()) + 1, body


def comments_python(text):
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            doc = ast.get_docstring(node)
            if doc:
                yield node.body[0].lineno, re.sub(r"\s+", " ", doc)


def comments_hash(text):
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r"\s*#(.*)|.*\s#\s(.*)", line)
        if match:
            yield number, match.group(1) or match.group(2) or ""


def comments(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return comments_python(text)
    if path.suffix in (".sh", ".build"):
        return comments_hash(text)
    return comments_c(text)


def page(root, path, name):
    for base in (root, root / "docs", path.parent):
        if (base / name).is_file():
            return base / name
    return None


def headings(found):
    return re.findall(r"^#+ +(.+?)\s*$", found.read_text(encoding="utf-8"), re.M)


def faults_of(root, path, names):
    for line, comment in comments(path):
        for name, heading in PAGE.findall(comment):
            found = page(root, path, name)
            if not found and name.rsplit("/", 1)[-1] not in WRITTEN:
                yield line, f"cites {name}, which is not in the tree"
            elif found and heading and heading not in headings(found):
                yield line, f'cites "{heading}", which is no heading of {name}'
        for name in SOURCE.findall(comment):
            last = name.rsplit("/", 1)[-1]
            any_file = re.match(r"[A-Z]{2,}", last)  # such as OUT.py
            if last not in names and last not in FOREIGN and not any_file:
                yield line, f"names {name}, which is not in the tree"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    paths = list(files(root))
    names = {p.name for p in paths}
    faults = [f"{p.relative_to(root)}:{line}: {fault}"
              for p in paths for line, fault in faults_of(root, p, names)]
    print("\n".join(faults))
    print(f"{len(paths)} files, {len(faults)} faults")
    return 1 if faults or len(paths) < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
