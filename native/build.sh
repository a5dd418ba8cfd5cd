#!/usr/bin/env bash
# Configures and builds one preset of CMakePresets.json; quick where nothing changed.
# usage: native/build.sh [release|asan|debug|aarch64] [--target TARGET] [options for cmake]
#   TARGET: product, what ships; emulated, that and what replays cases; fovea_sim, the simulator; where there is none,
#   everything. For aarch64, nothing where there is no cross compiler.
set -eu
cd "$(dirname "$0")"
preset=${1:-release}
shift || true
target=()
if [ "${1:-}" = --target ]; then
  target=("$1" "${2:?usage: native/build.sh [PRESET] [--target TARGET] [options for cmake]}")
  shift 2
fi

if [ "$preset" = aarch64 ]; then
  [ ${#target[@]} -gt 0 ] || target=(--target emulated) # the rest is for this processor
  why=
  [ "${FOVEA_AARCH64:-auto}" != off ] || why="it is off"
  command -v aarch64-linux-gnu-g++ >/dev/null ||
    why="there is no aarch64-linux-gnu-g++ (apt-get install g++-aarch64-linux-gnu)"
  if [ -n "$why" ]; then
    rm -f build-aarch64/lib/libfovea_cpu.so # one left by an earlier build would be packed
    echo "AArch64 is skipped: $why"
    exit
  fi
fi
need() { # <package> <program>
  command -v "$2" >/dev/null || {
    echo "Fovea needs $2 to build its native libraries: apt-get install $1" >&2
    exit 1
  }
}
need g++ "${CXX:-g++}"
need cmake cmake
have=$(cmake --version | sed -n '1s/.* //p')
if [ "$(printf '%s\n' 3.24 "$have" | sort -V | head -1)" != 3.24 ]; then
  echo "Fovea needs cmake 3.24 or newer, and this is $have: apt-get install cmake" >&2
  exit 1
fi

build=build
[ "$preset" = release ] || build=build-$preset
# A build folder that was copied along with the tree still points at the tree it came from.
if [ -f $build/CMakeCache.txt ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" $build/CMakeCache.txt; then
  rm -rf $build
fi
if [ ! -f $build/CMakeCache.txt ] && command -v ninja >/dev/null; then
  export CMAKE_GENERATOR=Ninja
fi
cmake --preset "$preset" "$@"
cmake --build $build "${target[@]}" --parallel "$(nproc)" || {
  echo "The native build failed: see above." >&2
  exit 1
}
