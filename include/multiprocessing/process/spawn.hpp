// Floor 8, process/spawn: starting a process as this program, run again.
#pragma once

#include <atomic>
#include <charconv> // std::from_chars
#include <memory>   // std::shared_ptr
#include <optional>
#include <string>
#include <string_view>
#include <utility> // std::move
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/memory/invitation.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/program.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/process/launch.hpp>
#include <multiprocessing/process/newcomer.hpp>
#include <multiprocessing/process/passport.hpp>
#include <multiprocessing/process/running.hpp>
#include <multiprocessing/process/settling.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing {

/// The first line of main(), in a program that starts processes by spawn or forkserver:
///
///     int main(int argc, char** argv) {
///         mp::freeze_support(argc, argv);
///
/// In the program that somebody runs it does nothing. In one that was started as a process of this family it runs what that was
/// started for, and never returns. Without it, starting such a process is a ValueError: its main() would start them all again.
///
/// - Python: `freeze_support`, which only frozen programs need, and `if __name__ == '__main__'`, which isn't needed here.
/// - Threads: before any is started.
inline void freeze_support(int argc, char** argv);

/// The program that spawned processes and the fork server run, instead of this one; empty: this one again. It must be the same
/// build.
///
/// - Python: `set_executable`.
inline void set_executable(std::string path);

} // namespace multiprocessing

namespace multiprocessing::process {

/// Starts this program in a new process that runs `call` (serial::pack_call) there. `handed`: descriptors for it, which it finds
/// in handed_descriptors().
///
/// - Python: `popen_spawn_posix.Popen`.
/// - Threads: any, several at once; what they have locked doesn't matter.
/// - When this process dies: a child that is daemonic, or `dies_with_parent`, ends too, once it runs; one that doesn't run yet finds
///   out when it does.
/// - Errors: as start_by_fork; and ValueError where freeze_support wasn't called, std::system_error when the program can't be run.
inline running start_by_spawn(launch terms, const serial::message& call, const std::vector<int>& handed = {});

/// ValueError unless main() has called freeze_support().
inline void require_freeze_support();

namespace detail {

inline constinit std::atomic<bool> freeze_support_called{false};

/// How a program is told that it is a process of the family. Its descriptors: 3 the commons, 4 its passport, then others.
inline constexpr std::string_view spawned_word = "--multiprocessing-spawn";
inline constexpr int passport_fd = 4;
inline constexpr int handed_fd = 5;

/// None of them is ever freed, since somebody may be reading it: each keeps the one before it.
struct chosen_executable {
    std::string path; // empty: this program
    const chosen_executable* before;
};
inline constinit std::atomic<const chosen_executable*> executable_to_spawn{nullptr};

/// What the program is run by, and what it is called.
struct program_name {
    std::string path;
    std::string shown;
};
inline program_name program_to_spawn() {
    const chosen_executable* const chosen = executable_to_spawn.load(std::memory_order_acquire);
    if (chosen != nullptr && !chosen->path.empty()) return {chosen->path, chosen->path};
    // What runs, and not what stands where it stood: it may have been replaced, moved or deleted.
    return {os::own_program(), os::executable()};
}

/// Runs the program with a passport. Both are told apart in a list of processes by the name.
inline os::child run_program(const std::string& name, const memory::invitation& place, int passport,
                             const std::vector<int>& handed, std::map<std::string, std::string> env) {
    const program_name what = program_to_spawn();
    env[memory::commons::variable] = place.word(3);
    os::program start{what.path,
                      {what.shown, std::string(spawned_word), std::to_string(handed.size()), name},
                      std::move(env),
                      {memory::commons::here().descriptor(), passport}};
    start.descriptors.insert(start.descriptors.end(), handed.begin(), handed.end());
    return os::start_program(start);
}

} // namespace detail

inline void require_freeze_support() {
    if (!detail::freeze_support_called.load(std::memory_order_relaxed))
        throw ValueError("a process can't be spawned by a program that doesn't expect it: write "
                         "multiprocessing::freeze_support(argc, argv); as the first line of main()");
}

inline running start_by_spawn(launch terms, const serial::message& call, const std::vector<int>& handed) {
    require_freeze_support();
    newcomer child_to_be(terms);
    memory::invitation place;
    passport told = make_passport(terms, call, place);
    std::optional<os::pipe_ends> report;
    std::vector<int> descriptors;
    if (!terms.conditions.empty()) {
        report = os::make_pipe();
        descriptors.push_back(report->write.get());
        told.settles = true;
    }
    descriptors.insert(descriptors.end(), handed.begin(), handed.end());
    const os::descriptor file = write_down(told);
    os::child child = detail::run_program(terms.name, place, file.get(), descriptors, terms.conditions.env);
    place.sent();
    const running started = child_to_be.enlist(std::move(child), place.slot());
    if (report) {
        report->write.reset();
        wait_until_settled(started, report->read.get());
    }
    return started;
}

} // namespace multiprocessing::process

inline void multiprocessing::freeze_support(int argc, char** argv) {
    if (argc < 4 || process::detail::spawned_word != argv[1]) {
        process::detail::freeze_support_called.store(true, std::memory_order_relaxed);
        return;
    }
    process::detail::freeze_support_called.store(true, std::memory_order_relaxed); // its children may be spawned too
    const std::string_view count = argv[2];
    int handed = 0;
    std::from_chars(count.data(), count.data() + count.size(), handed);
    std::vector<os::descriptor> descriptors;
    for (int i = 0; i < handed && i < 1000; ++i) descriptors.push_back(os::take_inherited(process::detail::handed_fd + i));
    os::name(argv[3]); // what goes wrong before it has read its passport is said under that name
    process::live_by(os::take_inherited(process::detail::passport_fd), std::move(descriptors));
}

inline void multiprocessing::set_executable(std::string path) {
    auto& current = process::detail::executable_to_spawn;
    auto* const chosen = new process::detail::chosen_executable{std::move(path), current.load(std::memory_order_relaxed)};
    while (!current.compare_exchange_weak(chosen->before, chosen, std::memory_order_acq_rel)) {}
}
