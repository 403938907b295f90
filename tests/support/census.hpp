// What a process holds of its machine, counted before and after each test case: a case that leaves something behind fails.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h> // pid_t

namespace testing {

/// Everything there is now, each thing as a line that names it. The lists are sorted; a thing that exists twice stands twice.
///
/// - The family is whoever descends from this program by fork(), however far and whether or not its parent still lives,
///   and this process's own children, zombies included.
/// - The commons, which a process makes at first use and keeps for good, is not listed.
struct census {
    std::vector<std::string> family;
    std::vector<std::string> descriptors;
    std::vector<std::string> threads;
    std::vector<std::string> shared_mappings;
    std::vector<std::string> shared_names; // in /dev/shm, which the whole machine shares

    static census now();

    /// What is here and wasn't in `before`, a line each; empty if there is nothing.
    [[nodiscard]] std::string more_than(const census& before) const;
};

/// What exists by now is meant to stay. Done before each test case; a case does it itself after the first use of something
/// that the library makes once per process and keeps.
void settle();

/// What came since then and is still here. Waits up to two seconds for what is on its way out.
std::string left_behind();

/// The family of a program of these tests, this one or another: its process, its children, its living descendants by fork().
/// The mark is what family_mark() returns there.
std::vector<pid_t> family_of(pid_t program, const std::string& mark);
const std::string& family_mark();

/// Kills what is left of this program's family, but for this process.
void end_family();

} // namespace testing
