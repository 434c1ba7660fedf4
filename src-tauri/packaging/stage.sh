#!/usr/bin/env bash
# Lays everything that is installed under one folder, as it lies under / later:
#
#     stage.sh PROGRAMS FOLDER
#
# PROGRAMS is where the two built programs are. Both packages are made from such a folder.
set -euo pipefail

programs=$(realpath "$1")
root=$2
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1)
# The same sources make the same package, byte for byte.
date=$(date --utc --date="@${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct)}" +%F)

put() { install -D -m "$1" "$2" "$root/usr/$3"; }

rm -rf "$root"
put 755 "$programs/signbell" bin/signbell
put 755 "$programs/signbell-desktop" bin/signbell-desktop
# Docker looks for its helpers by such a name.
ln -s signbell "$root/usr/bin/docker-credential-signbell"
put 644 "$here/signbell.desktop" share/applications/signbell.desktop
put 644 "$here/signbell.service" lib/systemd/user/signbell.service
put 644 "$top/icons/32x32.png" share/icons/hicolor/32x32/apps/signbell.png
put 644 "$top/icons/128x128.png" share/icons/hicolor/128x128/apps/signbell.png
put 644 "$top/icons/128x128@2x.png" share/icons/hicolor/256x256/apps/signbell.png
put 644 "$top/icons/icon.png" share/icons/hicolor/512x512/apps/signbell.png
install -d "$root/usr/share/metainfo"
sed "s/@VERSION@/$version/; s/@DATE@/$date/" "$here/app.signbell.desktop.metainfo.xml" \
    > "$root/usr/share/metainfo/app.signbell.desktop.metainfo.xml"

completions() {
    install -d "$root/usr/share/$(dirname "$2")"
    "$programs/signbell" completions "$1" > "$root/usr/share/$2"
}
completions bash bash-completion/completions/signbell
completions zsh zsh/vendor-completions/_signbell
completions fish fish/vendor_completions.d/signbell.fish

"$programs/signbell" man --folder "$root/usr/share/man/man1" >/dev/null
printf '.so man1/signbell-app.1\n' > "$root/usr/share/man/man1/signbell-desktop.1"
gzip -9 -n "$root"/usr/share/man/man1/*.1

put 644 "$top/README.md" share/doc/signbell/README.md
for page in "$top"/docs/*.md; do put 644 "$page" "share/doc/signbell/docs/$(basename "$page")"; done
python3 "$here/contents.py" licences "$top" > "$root/usr/share/doc/signbell/copyright"
python3 "$here/contents.py" sbom "$top" > "$root/usr/share/doc/signbell/sbom.cdx.json"
