#!/bin/sh
# Stands in for the menu which dunst shows on a click: reads its lines, each of which ends in
# "[<notification id>,<action key>]", and picks the one the test wishes for.
wish=$(cat "@ROOT@/dunst/wish") || exit 1
tee "@ROOT@/dunst/menu" | grep -F -m1 -- "$wish"
