// A shared library for tests/os/module.cpp, which loads it at run time.

extern "C" {

int module_fixture_answer() { return 42; }
int module_fixture_data = 7;

} // extern "C"
