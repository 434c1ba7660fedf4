#!/bin/sh
# Makes every icon from bell.svg. Needs rsvg-convert (Debian: librsvg2-bin).
set -eu
cd "$(dirname "$0")"
css=$(mktemp)
trap 'rm -f "$css"' EXIT

# app SIZE FILE
app() {
  rsvg-convert -w "$1" -h "$1" -o "$2" bell.svg
}

# tray STATE PART PANEL INK DOT OPACITY: shows one part, in the ink that the panel needs.
tray() {
  cat >"$css" <<END
.app { display: none }
.tray { display: inline; stroke: $4; opacity: $6 }
.$2 { display: inline }
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

# "light" and "dark" say what the panel is.
for panel in light dark; do
  if [ "$panel" = light ]; then ink='#202124' dot='#d9480f'; else ink='#f4f5f7' dot='#ff9f43'; fi
  tray fine outline "$panel" "$ink" "$dot" 1
  tray working outline "$panel" "$ink" "$dot" 0.6
  tray needs-you filled "$panel" "$ink" "$dot" 1
  tray paused struck "$panel" "$ink" "$dot" 1
done
