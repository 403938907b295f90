#!/bin/sh
# build.sh <include directory> <program>
set -eu
${CXX:-g++} -std=c++20 -I "$1" -pthread -DFMT_HEADER_ONLY "$(dirname "$0")/../main.cpp" -o "$2"
