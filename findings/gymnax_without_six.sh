#!/usr/bin/env bash
# gymnax 1.0.1 cannot be imported beside python-dateutil 4: it uses six and does not ask for it.
#
# Guess, before looking: `pip install gymnax` and `import gymnax` work in a fresh environment, whatever else is new in it.
# Seen (gymnax 1.0.1, python-dateutil 4.0.0 and 2.9.0.post0, Python 3.11): `gymnax/utils/load_mnist.py` imports `six`, and
# every `import gymnax` reaches it. The package asks for flax, gymnasium, jax, matplotlib and seaborn; six used to come with
# python-dateutil, for which matplotlib asks, and python-dateutil 4 no longer needs it. So the same gymnax works or fails by
# the version of a package two steps away, and `pip check` finds nothing wrong.
# Who meets it: whoever makes a new environment for gymnax. `pip install six` mends it.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
pip() { "$place/venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
imported() { "$place/venv/bin/python" -c "import gymnax; print('imported')" 2>&1 | tail -1 || true; }

pip install "gymnax==1.0.1" "python-dateutil==4.0.0"
pip check
new=$(imported)
echo "beside python-dateutil 4.0.0: $new"
pip install "python-dateutil==2.9.0.post0"
old=$(imported)
echo "beside python-dateutil 2.9.0: $old"

[ "$new" = "ModuleNotFoundError: No module named 'six'" ] || { echo "this has changed: it is imported or fails otherwise"; exit 1; }
[ "$old" = "imported" ] || { echo "this has changed: it failed in the older surroundings too"; exit 1; }
