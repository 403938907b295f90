// A test case that runs too long: says which and where it hangs, and ends it with all its processes.
#pragma once

namespace testing {

/// Until stop_watching(), or the end of this program: after `seconds` the program dies, having written to stderr the name
/// of the test case, a backtrace of the main thread, what each thread of each process of the family waits for, and what
/// gdb has to say where there is one. A forked child isn't watched itself; it ends with its parent's time.
///
/// The limit is 60 seconds, or what MULTIPROCESSING_TEST_TIMEOUT says.
void watch(const char* test_case);
void stop_watching();

/// The program that looks at a hanging one from outside, where nothing is locked or half done: this program again, started
/// by the watchdog. Returns at once if the arguments are not the watchdog's.
void examine_if_asked(int argc, char** argv);

} // namespace testing
