#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""element_tables.py [--check]: make the tables of docs/element.md from gst-inspect-1.0 rvosseg.

It also writes the golden page tests/gst/gst-inspect-1.22.txt. --check changes nothing and exits
with 1 if something differs. Only a build with CUDA memory and GStreamer 1.22 can write the page.
Any other build, and GStreamer up to 1.26, can be compared with it. The comparison ignores caps of
CUDA memory if the build has none, the value "analytics" of attach-meta, and the layout.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "element.md"
GOLDEN = ROOT / "tests" / "gst" / "gst-inspect-1.22.txt"
BEGIN, END = "<!-- made by docs/element_tables.py: {} -->", "<!-- end: {} -->"
INHERITED = {"name", "parent", "qos"}


def inspect():
    run = subprocess.run(["gst-inspect-1.0", "rvosseg"], capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr or "gst-inspect-1.0 does not know rvosseg")
    # These differ between machines and versions.
    return re.sub(r"^(  (?:Filename|Version) +).*$", r"\1(left out)", run.stdout, flags=re.M)


def without_cuda(text):
    return re.sub(r"^ +video/x-raw\(memory:CUDAMemory\)\n(?: {12,}\S.*\n)+", "", text,
                  flags=re.M)


def without_analytics(text):
    """Return the page of a build without GstAnalytics, like that of GStreamer 1.22."""
    text = re.sub(r'0x00000007, "analytics\+mask\+roi"', '0x00000003, "mask+roi"', text)
    return re.sub(r"^ +\(0x0+4\): analytics .*\n", "", text, flags=re.M)


def actions(text):
    """Bring "Element Actions" into one form: 1.22 shows a C function, 1.24 and later show the call
    of g_signal_emit_by_name()."""
    head, title, part = text.partition("\nElement Actions:\n")
    out = []
    for block in re.split(r'\n(?=  ")', "\n" + part.strip("\n")):
        words = " ".join(block.split())
        new = re.match(r'"([^"]+)" -> (\w+) : g_signal_emit_by_name \(element, "[^"]+"(.*)\);',
                       words)
        old = re.match(r'"([^"]+)" : (\w+) user_function \(GstElement\* object(.*)\);', words)
        if not (new or old):
            out.append(words)
            continue
        name, result, rest = (new or old).groups()
        types = [a.rsplit(" ", 1)[0].replace(" ", "") for a in rest.split(", ")
                 if a and "p_return_value" not in a]
        out.append(f"{name}: {result} ({', '.join(types)})")
    return head + title + "\n".join(out) + "\n"


def canonical(text):
    """Remove what differs between versions of gst-inspect-1.0."""
    text = re.sub(r"^Element Flags:\n(?:[ -].*\n)*", "", without_analytics(text), flags=re.M)
    return re.sub(r"\n\s*\n+", "\n", actions(text)).strip("\n")


def properties(text):
    """[(name, blurb, flags, type and default, [(nick, what it means)])]"""
    part = text.split("Element Properties:\n")[1].split("\nElement ")[0]
    part = re.sub(r"^\s*\n", "", part, flags=re.M)  # 1.26 has a blank line after each
    out = []
    for block in re.split(r"\n(?=  [a-z])", "\n" + part):
        lines = block.strip("\n").split("\n")
        name, blurb = (s.strip() for s in lines[0].split(":", 1)) if ":" in lines[0] else ("", "")
        if not name or name in INHERITED:
            continue
        values = re.findall(r"^ +\([^)]+\): (\S+) +- (.*)$", block, flags=re.M)
        out.append((name, blurb, lines[1].strip(), lines[2].strip(), values))
    return out


def mutability(flags):
    if "writable" not in flags:
        return "read only"
    if "only in NULL or READY" in flags:
        return "READY"
    return "any time, controllable" if "controllable" in flags else "any time"


def kind(line):
    """"Unsigned Integer. Range: 0 - 64 Default: 2" as ("uint", "0..64", "2")."""
    names = {"Unsigned Integer64": "uint64", "Unsigned Integer": "uint", "Integer64": "int64",
             "Integer": "int", "Double": "double", "Boolean": "boolean", "String": "string",
             "Fraction": "fraction"}
    word = re.match(r"(Enum|Flags|Boxed|[A-Za-z0-9 ]+)", line).group(1).strip()
    span = re.search(r"Range: +(\S+) - +(\S+)", line)
    default = re.search(r"Default: +(.+?) *$", line)
    default = default.group(1) if default else ""
    quoted = re.search(r', "([^"]*)"$', default)
    default = quoted.group(1) if quoted else default.strip('"')
    big = {"4294967295", "18446744073709551615", "2147483647", "9223372036854775807",
           "2147483647/1"}
    limits = f"{span.group(1)}..{'' if span.group(2) in big else span.group(2)}" if span else ""
    return names.get(word, word.lower()), limits, "" if default == "null" else default


def property_table(text):
    rows = ["| property | type | default | set | meaning |", "|---|---|---|---|---|"]
    for name, blurb, flags, line, values in properties(text):
        what, limits, default = kind(line)
        if values:
            what = ", ".join(f"`{nick}`" for nick, _ in values)
        rows.append(f"| `{name}` | {(what + ' ' + limits).strip()} | "
                    f"{'`' + default + '`' if default else ''} | {mutability(flags)} | "
                    f"{blurb} |")
    return "\n".join(rows)


def value_table(text):
    rows = ["| property | value | meaning |", "|---|---|---|"]
    for name, _, _, _, values in properties(text):
        rows += [f"| `{name}` | `{nick}` | {what} |" for nick, what in values]
    return "\n".join(rows)


def fill(page, name, table):
    begin, end = BEGIN.format(name), END.format(name)
    head, rest = page.split(begin)
    return f"{head}{begin}\n{table}\n{end}{rest.split(end)[1]}"


def main():
    version = subprocess.run(["gst-inspect-1.0", "--version"], capture_output=True, text=True)
    text = inspect()
    page = PAGE.read_text()
    page = fill(page, "properties", property_table(without_analytics(text)))
    page = fill(page, "values", value_table(without_analytics(text)))
    wanted = {PAGE: page, GOLDEN: text}
    built_without = "memory:CUDAMemory" not in text
    if "--check" not in sys.argv:
        if " 1.22." not in version.stdout:
            sys.exit("the page is made with GStreamer 1.22 only")
        if built_without:
            sys.exit("the page is made with a build with CUDA memory only")
        for path, content in wanted.items():
            path.write_text(content)
        return
    found = {path: path.read_text() if path.exists() else "" for path in wanted}
    if built_without:
        found[GOLDEN] = without_cuda(found[GOLDEN])
    for pages in (found, wanted):
        pages[GOLDEN] = canonical(pages[GOLDEN])
    bad = [str(path.relative_to(ROOT)) for path in wanted if found[path] != wanted[path]]
    if bad:
        sys.exit("run docs/element_tables.py: " + ", ".join(bad) + " differ from gst-inspect")


if __name__ == "__main__":
    main()
