#!/bin/sh
# Makes every icon from bell.svg. Needs rsvg-convert (Debian: librsvg2-bin). SHA256SUMS says of which bell.svg
# and by which of these lines; a test looks at it.
set -eu
cd "$(dirname "$0")"
css=$(mktemp)
trap 'rm -f "$css"' EXIT

# app SIZE FILE
app() {
  rsvg-convert -w "$1" -h "$1" -o "$2" bell.svg
}

# tray STATE PART PANEL INK DOT OPACITY HALO: shows one part, in the ink that the panel needs. Where the panel is
# not known the ink has a halo, which is the other's ink.
tray() {
  cat >"$css" <<END
.app { display: none }
.tray { display: inline; stroke: $4; opacity: $6 }
.$2 { display: inline }
.halo { display: $7 }
.solid { fill: $4 }
.dot { fill: $5 }
END
  rsvg-convert -s "$css" -w 16 -h 16 -o "tray-$1-$3@16.png" bell.svg
  rsvg-convert -s "$css" -w 24 -h 24 -o "tray-$1-$3@24.png" bell.svg
  rsvg-convert -s "$css" -w 32 -h 32 -o "tray-$1-$3.png" bell.svg
}

app 32 32x32.png
app 128 128x128.png
app 256 128x128@2x.png
app 512 icon.png

# "light" and "dark" say what the panel is; "any" is for one that nobody tells.
for panel in light dark any; do
  case $panel in
    light) ink='#202124' dot='#d9480f' halo=none pale=0.6 ;;
    dark) ink='#f4f5f7' dot='#ff9f43' halo=none pale=0.6 ;;
    any) ink='#f4f5f7' dot='#f76707' halo=inline pale=0.75 ;;
  esac
  tray fine outline "$panel" "$ink" "$dot" 1 "$halo"
  tray working outline "$panel" "$ink" "$dot" "$pale" "$halo"
  tray needs-you filled "$panel" "$ink" "$dot" 1 "$halo"
  tray paused struck "$panel" "$ink" "$dot" 1 "$halo"
done

sha256sum bell.svg make.sh ./*.png | sed 's, \./, ,' >SHA256SUMS
