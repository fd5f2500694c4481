#!/usr/bin/env bash
# Runs once, when Gradescope builds the image: a compiler for the submissions, Python for the grader.
set -e
if command -v apt-get > /dev/null; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        gcc libc6-dev make python3 python3-venv
fi
cd "${AUTOGRADER:-/autograder}/source"
python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
