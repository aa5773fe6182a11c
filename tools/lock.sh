#!/bin/sh
# Pins every dependency, with hashes and for every platform, in requirements/*.lock.
# Usage: make lock. Registry addresses stay out of the files: whoever installs uses their own.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'uv>=0.9'
index=$("$work/venv/bin/pip" config get global.index-url 2>/dev/null || true)
[ -z "$index" ] || export UV_DEFAULT_INDEX="$index"

compile() { # NAME [option...]: writes requirements/NAME.lock
    name=$1
    shift
    {
        echo "# Made by \`make lock\` from pyproject.toml: edit that, not this."
        "$work/venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
            --no-header --no-emit-index-url --no-emit-find-links "$@" pyproject.toml
    } >"$work/$name.lock"
    mv "$work/$name.lock" "requirements/$name.lock"
    echo "wrote requirements/$name.lock" >&2
}

# dev first: the others take its versions, so that what is measured and shipped is what is tested.
compile dev --extra dev
compile sidecar --constraint requirements/dev.lock
compile control --extra control --constraint requirements/dev.lock
compile bench --extra bench --constraint requirements/dev.lock
