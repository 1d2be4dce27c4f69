#!/bin/sh
# Makes .venv with its own uv and installs the locked set. Names what the machine lacks in one line.
set -eu

need() {
    echo "kestrel: $1 is missing: apt-get install $2" >&2
    exit 3
}

command -v git >/dev/null 2>&1 || need git git

fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1
}

python=""
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 && fits "$candidate"; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || need "Python 3.11, 3.12 or 3.13" "python3 python3-venv"
"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || need "Python's venv module" python3-venv

# An environment of another Python, or a half-made one, is made again.
if ! fits .venv/bin/python || ! .venv/bin/python -c 'import pip' >/dev/null 2>&1; then
    rm -rf .venv
    "$python" -m venv .venv
fi
uv_version=$(sed -n '/^name = "uv"$/{n;s/^version = "\(.*\)"$/\1/p;}' uv.lock)
if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$uv_version" ]; then
    echo "kestrel: installing uv $uv_version"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$uv_version"
fi
echo "kestrel: installing the locked packages"
.venv/bin/uv sync --frozen --quiet --inexact --compile-bytecode
