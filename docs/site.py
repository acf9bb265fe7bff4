#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a small web site of the project's Markdown: site.py ROOT OUT.

Every page gets the same navigation.  Links between pages become links between their HTML
files; pictures are copied; links to other files of the tree point at them.  A link, an anchor
or a picture that leads nowhere is an error.
"""
import html
import os
import re
import shutil
import sys

try:
    import markdown
except ImportError:
    print("skipped: no python3-markdown here")
    sys.exit(77)

# Page after page as a newcomer would read them; docs/*.md that are not named come last.
PAGES = [
    ("Start", ["README.md", "docs/element.md", "docs/examples.md"]),
    ("Use", ["docs/tools.md", "docs/follow.md", "docs/evaluation.md",
             "engine/python/README.md", "docs/archive.md", "docs/cameras.md", "docs/web.md",
             "docs/training.md", "data/README.md", "data/models/README.md",
             "data/clips/README.md"]),
    ("Understand", ["docs/network.md", "docs/architecture.md",
                    "docs/numerics.md", "docs/model-format.md",
                    "tests/golden/README.md"]),
    ("Take part", ["docs/contributing.md"]),
]
STYLE = """
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; display: flex; }
nav { flex: 0 0 13em; padding: 1.5em 1em; background: #f3f4f6; min-height: 100vh;
      box-sizing: border-box; }
nav h2 { font-size: 0.8em; text-transform: uppercase; color: #666; margin: 1.2em 0 0.2em; }
nav a { display: block; padding: 0.1em 0; color: #1c1c1c; text-decoration: none; }
nav a:hover, nav a.here { color: #06c; } nav a.here { font-weight: bold; }
main { flex: 1 1 auto; max-width: 52em; padding: 1em 2.5em 4em; min-width: 0; }
img { max-width: 100%; } a { color: #06c; }
pre { background: #f3f4f6; padding: 0.8em; overflow-x: auto; font-size: 0.85em; }
code { font-size: 0.92em; background: #f3f4f6; } pre code { background: none; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid #d4d6da; padding: 0.25em 0.6em; text-align: left;
         vertical-align: top; }
th { background: #f3f4f6; }
@media (max-width: 50em) { body { display: block; } nav { min-height: 0; }
                           main { padding: 1em; } }
"""


def pages_of(root):
    """[(group, [path, ...])] of the pages that exist."""
    groups = [(group, [p for p in paths if os.path.exists(os.path.join(root, p))])
              for group, paths in PAGES]
    named = {p for _, paths in groups for p in paths}
    more = sorted(f"docs/{f}" for f in os.listdir(os.path.join(root, "docs"))
                  if f.endswith(".md") and f"docs/{f}" not in named)
    return [g for g in groups + [("More", more)] if g[1]]


def html_name(path):
    """The file of a page: all lie in one folder."""
    if path == "README.md":
        return "index.html"
    base = re.sub(r"(^docs/|/?README\.md$|\.md$)", "", path)
    return base.replace("/", "-") + ".html"


def title_of(text, path):
    match = re.search(r"^# +(.+)$", text, re.M)
    return re.sub(r"[`*]", "", match.group(1)) if match else path


class Site:
    def __init__(self, root, out):
        self.root, self.out, self.errors = root, out, []
        self.groups = pages_of(root)
        self.paths = [p for _, paths in self.groups for p in paths]
        self.text, self.titles, self.bodies, self.anchors = {}, {}, {}, {}

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as f:
            self.text[path] = f.read()
        self.titles[path] = title_of(self.text[path], path)
        body = markdown.markdown(self.text[path], output_format="html5",
                                 extensions=["tables", "fenced_code", "toc", "sane_lists"])
        self.bodies[path] = body
        self.anchors[path] = set(re.findall(r'\bid="([^"]+)"', body))

    def link(self, page, target):
        """What a link of a page becomes."""
        if re.match(r"[a-z]+:", target):
            return target
        name, _, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(page), name)) if name else page
        if path in self.paths:
            if anchor and anchor not in self.anchors[path]:
                self.errors.append(f"{page}: no anchor #{anchor} in {path}")
            return html_name(path) + ("#" + anchor if anchor else "")
        source = os.path.join(self.root, path)
        if path.startswith("..") or not os.path.exists(source):
            self.errors.append(f"{page}: {target}: there is no such file")
            return target
        return os.path.relpath(source, self.out)

    def picture(self, page, target):
        path = os.path.normpath(os.path.join(os.path.dirname(page), target))
        source = os.path.join(self.root, path)
        if re.match(r"[a-z]+:", target) or not os.path.isfile(source):
            self.errors.append(f"{page}: {target}: there is no such picture in the tree")
            return target
        name = "images/" + path.replace("/", "-")
        shutil.copyfile(source, os.path.join(self.out, name))
        return name

    def navigation(self, here):
        lines = []
        for group, paths in self.groups:
            lines.append(f"<h2>{group}</h2>")
            for path in paths:
                mark = ' class="here"' if path == here else ""
                lines.append(f'<a href="{html_name(path)}"{mark}>'
                             f"{html.escape(self.titles[path])}</a>")
        return "\n".join(lines)

    def write(self, path):
        body = re.sub(r'(<a [^>]*href=")([^"]+)(")',
                      lambda m: m.group(1) + self.link(path, m.group(2)) + m.group(3),
                      self.bodies[path])
        body = re.sub(r'(<img [^>]*src=")([^"]+)(")',
                      lambda m: m.group(1) + self.picture(path, m.group(2)) + m.group(3), body)
        title = html.escape(self.titles[path])
        with open(os.path.join(self.out, html_name(path)), "w", encoding="utf-8") as f:
            f.write(f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
                    f'<meta name="viewport" content="width=device-width">\n'
                    f"<title>{title}</title>\n<style>{STYLE}</style></head>\n<body><nav>\n"
                    f"{self.navigation(path)}\n</nav><main>\n{body}\n</main></body></html>\n")

    def make(self):
        os.makedirs(os.path.join(self.out, "images"), exist_ok=True)
        for path in self.paths:
            self.read(path)
        for path in self.paths:
            self.write(path)


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    site = Site(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
    site.make()
    for error in site.errors:
        print(error, file=sys.stderr)
    if site.errors:
        return 1
    print(f"{len(site.paths)} pages in {site.out}: open {os.path.join(site.out, 'index.html')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
