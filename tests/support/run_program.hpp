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

} // namespace testing
