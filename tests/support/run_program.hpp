// Running another program to its end and reading what it said.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace testing {

struct program_result {
    int exit_code = -1; // 127 if it couldn't be started
    int signal = 0;     // the one that killed it
    bool timed_out = false;
    std::string out;
    std::string err;
};

/// Runs `command` (looked up in PATH) with nothing on its standard input. When the time is up, it is killed.
program_result run_program(const std::vector<std::string>& command, std::chrono::milliseconds limit = std::chrono::seconds(60));

/// A main() of its own, inside a test program: for what only a whole run shows, to the end of the last static object.
///
///     const testing::program forgetful("forgetful", [] { return 0; });
///     ...
///     REQUIRE(forgetful.run().exit_code == 0);
class program {
public:
    program(const char* name, int (*main)());
    program(const program&) = delete;
    program& operator=(const program&) = delete;
    ~program() = default;

    /// In another process; to its main it is an argument more or less.
    program_result run(const std::vector<std::string>& arguments = {}) const;

    /// Calls the one that the arguments name, and ends the process as the end of main does. Returns if they name none.
    static void run_if_asked(int argc, char** argv);

private:
    const char* name_;
    int (*main_)();
    const program* next_;
};

} // namespace testing
