#!/usr/bin/env bash
# Makes a .deb, and where rpmbuild is here an .rpm, of the programs in a folder:
#
#     package.sh PROGRAMS FOLDER [deb|rpm]...
#
# With QUICK set nothing is compressed well: for tests.
# Only the systems' own tools: dpkg-deb and rpmbuild. What the programs need is read from the programs.
set -euo pipefail

programs=$(realpath "$1")
folder=$(realpath -m "$2")
shift 2
kinds=${*:-deb rpm}
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct)}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$folder"
"$here/stage.sh" "$programs" "$work/root"

# Debian's names of the packages whose libraries are linked, with the versions that have every symbol.
# libayatana-appindicator is loaded at run time, where nothing can see it.
depends() {
    mkdir -p "$work/shlibs/debian"
    printf 'Source: signbell\n\nPackage: signbell\nArchitecture: any\nDescription: x\n' > "$work/shlibs/debian/control"
    (cd "$work/shlibs" && dpkg-shlibdeps -O "$work/root/usr/bin/signbell" "$work/root/usr/bin/signbell-desktop") |
        sed -n 's/^shlibs:Depends=//p'
}

deb() {
    local architecture
    architecture=$(dpkg --print-architecture)
    install -d "$work/root/DEBIAN"
    cat > "$work/root/DEBIAN/control" <<END
Package: signbell
Version: $version
Architecture: $architecture
Maintainer: The Signbell developers <signbell@localhost>
Installed-Size: $(du -sk --apparent-size --exclude=DEBIAN "$work/root" | cut -f 1)
Depends: $(depends), ca-certificates, libayatana-appindicator3-1, xdg-utils
Recommends: gnome-keyring | keepassxc | kwalletmanager
Section: net
Priority: optional
Description: keeps your OAuth sign-ins alive for every tool on this machine
 Signbell signs in once per account, in your own browser, keeps the tokens in
 the system's keyring, and gives local tools a proxy on this machine. It puts
 the token in, notices when a server says that it is no good, renews it and
 sends the request again. Where only you can help it rings: one notification,
 one click, and the request that was waiting completes.
END
    (cd "$work/root" && find usr -type f -printf '%P\0' | sort -z | sed -z 's|^|usr/|' | xargs -0 md5sum) > "$work/root/DEBIAN/md5sums"
    find "$work/root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group ${QUICK:+-Zgzip -z1} --build "$work/root" "$folder/signbell_${version}_$architecture.deb" >/dev/null
    rm -r "$work/root/DEBIAN"
    echo "$folder/signbell_${version}_$architecture.deb"
}

rpm() {
    # Fedora's zsh looks elsewhere.
    install -D -m 644 "$work/root/usr/share/zsh/vendor-completions/_signbell" "$work/root/usr/share/zsh/site-functions/_signbell"
    rm -r "$work/root/usr/share/zsh/vendor-completions"
    (cd "$work/root" && find usr -not -type d -printf '/%p\n' | sort | sed 's|^/usr/share/man/.*|%doc &|; s|^/usr/share/doc/.*|%doc &|') > "$work/files"
    rpmbuild -bb --quiet \
        ${QUICK:+--define "_binary_payload w1.gzdio"} \
        --define "_topdir $work/rpm" --define "_rpmdir $folder" --define "_build_id_links none" \
        --define "_rpmfilename signbell-%{VERSION}-%{RELEASE}.%{ARCH}.rpm" \
        --define "use_source_date_epoch_as_buildtime 1" --define "clamp_mtime_to_source_date_epoch 1" \
        --define "version_of_signbell $version" --define "staged $work/root" --define "file_list $work/files" \
        "$here/signbell.spec"
    ls "$folder"/signbell-"$version"-*.rpm
}

for kind in $kinds; do "$kind"; done
