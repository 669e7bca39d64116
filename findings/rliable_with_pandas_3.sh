#!/usr/bin/env bash
# rliable 1.2.0: what pip installs for it beside pandas 3.1.1 cannot be imported; pandas 2.3.3 mends it.
#
# Guess, before looking: `pip install rliable` into an empty environment gives a set of versions in which `from rliable import library` works, as
# pip resolves what the packages ask for.
# Seen (rliable 1.2.0, arch 7.2.0, pandas 3.1.1, Python 3.11): that import ends in TypeError, `deprecate_kwarg() missing 1 required positional
# argument`, raised while arch defines a class. With pandas 2.3.3 and all else the same it works.
# Why: rliable asks for arch below 8; arch 7.2.0, the last of them, uses a private decorator of pandas whose arguments are others
# in pandas 3, and asks for no pandas below that. Of rliable only a bootstrap needs arch, yet the import fails as a whole.
# Who meets it: whoever installs rliable for intervals over seeds and tasks today. Ask for pandas below 3 in the same command.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
pip() { "$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install "$@"; }
try() { "$place/venv/bin/python" -W ignore -c 'from rliable import library' 2>&1 | tail -n 1 || true; }
pip "rliable==1.2.0" "arch==7.2.0" "pandas==3.1.1" "numpy==2.4.6"
with_3=$(try)
pip "pandas==2.3.3"
with_2=$(try)
echo "pandas 3.1.1: ${with_3:-imported} | pandas 2.3.3: ${with_2:-imported}"
case "$with_3" in
  "TypeError: deprecate_kwarg() missing 1 required positional argument"*) [ -z "$with_2" ] ;;
  *) echo "this has changed" >&2 && false ;;
esac
