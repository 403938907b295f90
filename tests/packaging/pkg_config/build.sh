#!/bin/sh
# PKG_CONFIG_PATH=... build.sh <program>
set -eu
# shellcheck disable=SC2046 # they are several words
${CXX:-g++} -std=c++20 "$(dirname "$0")/../main.cpp" $(pkg-config --cflags --libs multiprocessing) -o "$1"
