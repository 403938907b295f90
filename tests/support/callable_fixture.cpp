// A shared library for tests/serial/callable.cpp, which loads it at run time: with functions to be called, and with calls that it
// packs itself. Built with -fvisibility=hidden but for what is looked up by name, as plugins are.

#include <multiprocessing/serial/callable.hpp>

#include <string>

namespace serial = multiprocessing::serial;

namespace {

std::string said;

void hidden(int n, const std::string& text) { said = "hidden " + std::to_string(n) + " " + text; }

} // namespace

extern "C" {

[[gnu::visibility("default")]] int fixture_twice(int n) { return 2 * n; }

[[gnu::visibility("default")]] const char* fixture_said() { return said.c_str(); }

[[gnu::visibility("default")]] void fixture_pack(int what, serial::message* call) {
    const int three = 3;
    switch (what) {
    case 0: *call = serial::pack_call(&hidden, 1, "text"); break;
    case 1: *call = serial::pack_call([](int n) { said = "a lambda " + std::to_string(n); }, three); break;
    default: break;
    }
}

} // extern "C"
