#!/usr/bin/env python3
"""Prints our licence and that of every package that is linked in, with its text: each of these licences
wants its text to go with the program.

    licences.py CHECKOUT
"""

import json
import pathlib
import subprocess
import sys

top = pathlib.Path(sys.argv[1])


def cargo(*command):
    return subprocess.run(
        ["cargo", *command, "--locked"], cwd=top, check=True, capture_output=True, text=True
    ).stdout


host = next(line.split()[1] for line in cargo("-vV").splitlines() if line.startswith("host:"))
metadata = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", host))
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}

# What is linked: what our two programs lead to, without what only tests and build scripts use.
ours = [p["id"] for p in metadata["packages"] if p["name"] in ("signbell-cli", "signbell-desktop")]
linked, left = set(), list(ours)
while left:
    found = left.pop()
    if found in linked:
        continue
    linked.add(found)
    for to in nodes[found]["deps"]:
        if any(kind["kind"] is None for kind in to["dep_kinds"]):
            left.append(to["pkg"])

print("Signbell\nCopyright the Signbell developers\nMIT OR Apache-2.0\n")
print((top / "LICENSE-MIT").read_text().strip())
print("\nThe Apache License 2.0 stands in /usr/share/common-licenses/Apache-2.0 on Debian, and below.")
print("\nThe programs contain these packages:\n")

texts = {}
for package in sorted((packages[found] for found in linked), key=lambda package: package["name"]):
    if package["source"] is None:
        continue
    print(f"  {package['name']} {package['version']}: {package['license'] or 'see below'}")
    folder = pathlib.Path(package["manifest_path"]).parent
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE")):
            text = file.read_text(errors="replace").strip()
            texts.setdefault(text, []).append(package["name"])
texts.setdefault((top / "LICENSE-APACHE").read_text().strip(), []).append("signbell")

for text, names in sorted(texts.items(), key=lambda entry: entry[1][0]):
    print("\n" + "-" * 72)
    print("For " + ", ".join(sorted(set(names))) + ":\n")
    print(text)
