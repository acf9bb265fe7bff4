# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hooks for MkDocs. Pages may be anywhere in the tree. Links to other files of the tree point at
these files. A dead link or anchor, or a missing picture, is an error in any version of MkDocs.
"""
import html
import logging
import os
import posixpath
import re

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
anchors, links, errors = {}, [], []  # {page's URL: ids}, [(page, its URL, anchor)], messages

# MkDocs would warn of links to files that are not pages.
logging.getLogger("mkdocs.structure.pages").setLevel(logging.ERROR)


def listed(nav):
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from [value] if isinstance(value, str) else listed(value)


def on_files(files, config):
    """Return the pages of mkdocs.yml, by their paths in the tree, and the pictures of docs/."""
    pages = list(listed(config["nav"]))
    for name in sorted(os.listdir(config["docs_dir"])):
        if name.endswith(".md") and f"docs/{name}" not in pages:
            errors.append(f"docs/{name}: not in mkdocs.yml")
    ours = [f for f in files if f.abs_src_path.startswith(config["docs_dir"] + os.sep)]
    pictures = [f"docs/{f.src_uri}" for f in ours if f.src_uri.startswith("images/")]
    return Files([File(path, ROOT, config["site_dir"], False) for path in
                  [*pages, "docs/site.css", *pictures]] + [f for f in files if f not in ours])


def on_page_content(text, page, config, files):
    """Check all links. MkDocs has resolved those to pages and pictures; resolve the others."""
    url, source = page.file.url, page.file.src_uri
    anchors[url] = set(re.findall(r'\bid="([^"]+)"', text))
    urls = {f.url for f in files}

    def target(match):
        before, link, after = match.groups()
        link = html.unescape(link)
        if re.match(r"[a-z]+:", link):
            if before.startswith("<img"):
                errors.append(f"{source}: {link}: a picture of another site")
            return match.group()
        link, _, anchor = link.partition("#")
        there = posixpath.normpath(posixpath.join(posixpath.dirname(url), link)) if link else url
        if there in urls:
            links.append((source, there, anchor))
            return match.group()
        path = os.path.normpath(os.path.join(ROOT, posixpath.dirname(source), link))
        if not os.path.exists(path) or not path.startswith(ROOT + os.sep) or before.startswith("<img"):
            errors.append(f"{source}: {link}: there is no such file")
        here = os.path.join(config["site_dir"], posixpath.dirname(url))
        return before + html.escape(os.path.relpath(path, here)) + after

    return re.sub(r'(<(?:a|img) [^>]*?(?:href|src)=")([^"]+)(")', target, text)


def on_post_build(config):
    errors.extend(f"{source}: no anchor #{anchor} in {url}" for source, url, anchor in links
                  if anchor and anchor not in anchors.get(url, ()))
    if errors:
        raise PluginError("\n".join(sorted(errors)))
    print(f"{len(anchors)} pages: open {os.path.join(config['site_dir'], 'index.html')}")
