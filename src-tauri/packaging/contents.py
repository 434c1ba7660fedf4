#!/usr/bin/env python3
"""Says what is linked into the programs, for the packages:

    contents.py licences CHECKOUT   our licence and that of every package, with its text: each wants that
    contents.py sbom CHECKOUT       a bill of materials (CycloneDX 1.5, JSON)
    contents.py count CHECKOUT      how many packages `signbell` is made of, and how many the desktop program
"""

import json
import pathlib
import subprocess
import sys
import tomllib

what, top = sys.argv[1], pathlib.Path(sys.argv[2])


def cargo(*command):
    return subprocess.run(
        ["cargo", *command, "--locked"], cwd=top, check=True, capture_output=True, text=True
    ).stdout


host = next(line.split()[1] for line in cargo("-vV").splitlines() if line.startswith("host:"))
metadata = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", host))
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}


def linked_into(*programs):
    """What these lead to, without what only tests and build scripts use, and without our own crates."""
    left = [package["id"] for package in metadata["packages"] if package["name"] in programs]
    found = set()
    while left:
        one = left.pop()
        if one in found:
            continue
        found.add(one)
        left += [to["pkg"] for to in nodes[one]["deps"] if any(kind["kind"] is None for kind in to["dep_kinds"])]
    return sorted(
        (packages[one] for one in found if packages[one]["source"] is not None),
        key=lambda package: (package["name"], package["version"]),
    )


def licences():
    linked = linked_into("signbell-cli", "signbell-desktop")
    print("Signbell\nCopyright the Signbell developers\nMIT OR Apache-2.0\n")
    print((top / "LICENSE-MIT").read_text().strip())
    print("\nThe Apache License 2.0 stands in /usr/share/common-licenses/Apache-2.0 on Debian, and below.")
    print("\nThe programs contain these packages:\n")
    texts = {}
    for package in linked:
        print(f"  {package['name']} {package['version']}: {package['license'] or 'see below'}")
        folder = pathlib.Path(package["manifest_path"]).parent
        for file in sorted(folder.iterdir()):
            starts = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE")
            if file.is_file() and file.name.upper().startswith(starts):
                text = file.read_text(errors="replace").strip()
                texts.setdefault(text, []).append(package["name"])
    texts.setdefault((top / "LICENSE-APACHE").read_text().strip(), []).append("signbell")
    for text, names in sorted(texts.items(), key=lambda entry: entry[1][0]):
        print("\n" + "-" * 72)
        print("For " + ", ".join(sorted(set(names))) + ":\n")
        print(text)


def sbom():
    lock = tomllib.loads((top / "Cargo.lock").read_text())
    sums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    version = next(p["version"] for p in metadata["packages"] if p["name"] == "signbell-cli")

    def component(package):
        name, number = package["name"], package["version"]
        sha256 = sums.get((name, number))
        return {
            "type": "library",
            "name": name,
            "version": number,
            "purl": f"pkg:cargo/{name}@{number}",
            **({"licenses": [{"expression": package["license"]}]} if package["license"] else {}),
            **({"hashes": [{"alg": "SHA-256", "content": sha256}]} if sha256 else {}),
        }

    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "signbell", "version": version}},
        "components": [component(package) for package in linked_into("signbell-cli", "signbell-desktop")],
    }
    print(json.dumps(bill, indent=1))


def count():
    for program in ("signbell-cli", "signbell-desktop"):
        print(f"{program}: {len(linked_into(program))} packages")


{"licences": licences, "sbom": sbom, "count": count}[what]()
