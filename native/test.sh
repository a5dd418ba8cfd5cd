#!/usr/bin/env bash
# Runs the native tests, as many at once as there are cores. native/build.sh comes first.
# usage: native/test.sh [options for ctest], such as -R fuzz
set -eu
cd "$(dirname "$0")/build"
exec ctest --output-on-failure --parallel "$(nproc)" "$@"
