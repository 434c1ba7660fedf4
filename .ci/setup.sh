#!/usr/bin/env bash
# Installs what a make target needs and this machine lacks, and says what and why:
#
#     .ci/setup.sh cli|app|test|bench|package
#
# Where nothing is missing, no package manager is called. Debian, Ubuntu and Fedora; elsewhere it
# says what to install.
set -euo pipefail

RUST=1.95
NODE=22.23.3
tools=$(realpath -m "${CARGO_TARGET_DIR:-target}")/tools

say() { printf 'signbell: %s\n' "$*" >&2; }

missing=()
debs=()
rpms=()

# need PROBE DEB RPM WHY. A probe is a program, pkg:MODULE of pkg-config, file:PATH or font:NAME. An
# RPM that begins with a slash is a file, which dnf finds the package of.
need() {
    case $1 in
        pkg:*) pkg-config --exists "${1#pkg:}" 2>/dev/null && return ;;
        file:*) [ -e "${1#file:}" ] && return ;;
        font:*) fc-list 2>/dev/null | grep -q "${1#font:}" && return ;;
        *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null && return ;;
    esac
    missing+=("${1#*:} ($4)")
    debs+=("$2")
    rpms+=("$3")
}

needs_cli() {
    need cc gcc gcc "links Rust programs"
}

needs_app() {
    needs_cli
    need pkg-config pkg-config pkgconf-pkg-config "finds the libraries below"
    need pkg:webkit2gtk-4.1 libwebkit2gtk-4.1-dev webkit2gtk4.1-devel "draws the window"
    need pkg:ayatana-appindicator3-0.1 libayatana-appindicator3-dev libayatana-appindicator-gtk3-devel "the tray icon"
    need pkg:dbus-1 libdbus-1-dev dbus-devel "talks to the desktop"
}

needs_test() {
    needs_app
    need node nodejs /usr/bin/node "runs the provider that the tests sign in at"
    need npm npm /usr/bin/npm "installs that provider's packages"
    need curl curl curl "stands for a tool"
    need openssl openssl openssl "makes a certificate that nobody trusts"
    need git git git "a tool with a credential helper"
    need faketime faketime libfaketime "clocks that are wrong"
    need python3 python3 python3 "runs pip"
    need pip3 python3-pip python3-pip "installs a package through a registry"
    need gh gh gh "a tool that can't change its base URL"
    need Xvfb xvfb /usr/bin/Xvfb "a display for each test"
    need dbus-daemon dbus-daemon dbus-daemon "a session bus for each test"
    need xfce4-panel xfce4-panel xfce4-panel "shows the tray"
    need file:/usr/share/dbus-1/services/org.xfce.Xfconf.service xfconf xfconf "the panel's settings"
    need dunst dunst dunst "shows notifications"
    need gnome-keyring-daemon gnome-keyring gnome-keyring "keeps the tokens"
    need secret-tool libsecret-tools /usr/bin/secret-tool "looks into the keyring"
    need xdotool xdotool xdotool "clicks as a person does"
    need xclip xclip xclip "reads what was copied"
    need import imagemagick /usr/bin/import "takes pictures of the screen"
    need WebKitWebDriver webkit2gtk-driver /usr/bin/WebKitWebDriver "drives the window"
    need chromium chromium chromium "signs in as a person does"
    need chromedriver chromium-driver /usr/bin/chromedriver "drives Chromium"
    need fc-list fontconfig fontconfig "finds fonts"
    need dpkg-shlibdeps dpkg-dev dpkg-dev "makes the package that a test installs"
    need rpmbuild rpm rpm-build "makes the other one"
    need python3 python3 python3 "collects the licences for them"
    need desktop-file-validate desktop-file-utils desktop-file-utils "reads their desktop entry"
    need appstreamcli appstream appstream "reads their description"
    need man man-db man-db "reads their manual pages"
    need font:DejaVu fonts-dejavu-core dejavu-sans-fonts "letters on the screen"
    need file:/usr/share/icons/Adwaita adwaita-icon-theme adwaita-icon-theme "icons on the screen"
}

needs_package() {
    needs_app
    need dpkg-shlibdeps dpkg-dev dpkg-dev "reads what the programs are linked with, and makes the .deb"
    need rpmbuild rpm rpm-build "makes the .rpm"
    need python3 python3 python3 "collects the licences"
}

needs_bench() {
    needs_cli
    need node nodejs /usr/bin/node "runs the provider to sign in at"
    need npm npm /usr/bin/npm "installs that provider's packages"
    need curl curl curl "stands for a browser"
    need python3 python3 python3 "runs the measurement"
    need wrk wrk wrk "makes the load"
    need nginx nginx-light /usr/sbin/nginx "the upstream, and what Signbell is compared with"
    need haproxy haproxy haproxy "what Signbell is compared with"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Somebody else may be installing too: apt-get update does not wait for its lock by itself.
apt_update() {
    for _ in 1 2 3 4 5 6; do
        as_root apt-get -q update && return
        sleep 10
    done
    say "apt-get update failed; going on with the lists that are here"
}

install_missing() {
    [ ${#missing[@]} -eq 0 ] && return
    say "this machine lacks:"
    printf '    %s\n' "${missing[@]}" >&2
    if command -v apt-get >/dev/null; then
        say "installing with apt-get: ${debs[*]}"
        apt_update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "${debs[@]}"
    elif command -v dnf >/dev/null; then
        say "installing with dnf: ${rpms[*]}"
        as_root dnf install -y --setopt=install_weak_deps=False "${rpms[@]}"
    else
        say "neither apt-get nor dnf is here: please install these, then run make again"
        exit 1
    fi
}

# 1.9 is older than 1.10.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

check_rust() {
    local have
    if ! have=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || [ -z "$have" ]; then
        say "Rust is missing. https://rustup.rs installs it: curl --proto '=https' -sSf https://sh.rustup.rs | sh"
        exit 1
    fi
    if ! at_least $RUST "$have"; then
        say "Rust $have is too old, $RUST is needed: rustup update stable"
        exit 1
    fi
}

check_rust_tools() {
    local tool
    for tool in fmt clippy; do
        cargo "$tool" --version >/dev/null 2>&1 && continue
        command -v rustup >/dev/null || { say "cargo $tool is missing; your Rust's packages have it"; exit 1; }
        say "adding cargo $tool, which the tests run"
        rustup component add "${tool/fmt/rustfmt}"
    done
}

# Ubuntu's chromium is a snap, which can't run in a test's sandbox; Chrome can stand for it.
link_chrome() {
    local chrome
    command -v chromium >/dev/null && return
    chrome=$(command -v google-chrome) || return 0
    mkdir -p "$tools/bin"
    ln -sf "$chrome" "$tools/bin/chromium"
}

# The provider needs a newer Node than some systems have; it comes from npm then, beside the build.
newer_node() {
    local have
    have=$(node --version 2>/dev/null) && at_least 20.20 "${have#v}" && return
    [ -x "$tools/node/node_modules/node/bin/node" ] && return
    say "Node ${have:-of this system} is older than the provider's 20.20: getting $NODE from npm into $tools/node"
    npm install --silent --no-save --no-audit --no-fund --prefix "$tools/node" "node@$NODE"
}

# Debian starts what it installs; nobody asked for web servers on this machine.
stop_new_servers() {
    local server
    [ -d /run/systemd/system ] || return 0
    for server in nginx haproxy; do
        [[ " ${missing[*]} " == *" $server ("* ]] || continue
        say "turning off the service of $server that its package started; only the program is needed"
        as_root systemctl disable --now "$server" || true
    done
}

case ${1-} in
    cli | app | package) "needs_$1"; install_missing; check_rust ;;
    test) link_chrome; PATH=$tools/bin:$PATH; needs_test; install_missing; check_rust; check_rust_tools; newer_node ;;
    bench) needs_bench; install_missing; stop_new_servers; check_rust; newer_node ;;
    *) say "usage: $0 cli|app|test|bench|package"; exit 2 ;;
esac
