// Floor 8, process/passport: what a process is told that starts with nothing, by spawn or by a fork server.
#pragma once

#include <cstddef> // std::byte
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility> // std::move
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/invitation.hpp>
#include <multiprocessing/os/child.hpp>
#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/handover.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/module.hpp>
#include <multiprocessing/os/pages.hpp>
#include <multiprocessing/os/self.hpp>
#include <multiprocessing/process/bootstrap.hpp>
#include <multiprocessing/process/launch.hpp>
#include <multiprocessing/process/lineage.hpp>
#include <multiprocessing/process/settling.hpp>
#include <multiprocessing/process/start_method.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/callable.hpp>

namespace multiprocessing::process {

/// Who a new process is, whose child, what it holds and what it has to do. It is written into a memory file, whose descriptor the
/// process is started with.
struct passport {
    std::string build_id; ///< of the program that wrote it: another one couldn't find the function to call
    launch terms;
    pid_t parent = 0;
    std::uint64_t parent_started = 0; ///< 0: the kernel's parent is the same
    std::string parent_name;
    std::uint32_t slot = 0; ///< its seat in the family
    std::uint32_t generation = 0;
    bool settles = false; ///< whether its first descriptor is where it says if its conditions are met
    std::optional<StartMethod> method; ///< that its own children are started by, unless they say otherwise
    int log_level = 0;
    std::vector<memory::object_name> shares; ///< that it was given
    std::vector<std::byte> call;             ///< what it runs (serial/callable.hpp)
};

/// Fills in what doesn't depend on the start method, and gives the shares.
[[nodiscard]] inline passport make_passport(const launch& terms, const serial::message& call, const memory::invitation& place);

/// As a file that a process can be started with.
[[nodiscard]] inline os::descriptor write_down(const passport& told);

/// Becomes that process, runs what it is for, and leaves. `handed`: the other descriptors that it was started with. `forked_by`: the
/// fork server; 0: it has none. (Asked for here, the kernel's parent might be another one already, for which it would live on.)
[[noreturn]] inline void live_by(os::descriptor file, std::vector<os::descriptor> handed, pid_t forked_by = 0) noexcept;

/// The descriptors that this process was started with, for what it runs to take.
[[nodiscard]] inline std::vector<os::descriptor>& handed_descriptors() noexcept;

inline passport make_passport(const launch& terms, const serial::message& call, const memory::invitation& place) {
    passport told;
    told.build_id = os::build_id();
    told.terms = terms;
    told.parent = os::pid();
    told.parent_name = os::name();
    told.slot = place.slot().slot;
    told.generation = place.slot().generation;
    told.method = chosen_start_method();
    told.log_level = static_cast<int>(os::level());
    told.shares = place.give(call.shares);
    told.call = call.bytes;
    return told;
}

inline os::descriptor write_down(const passport& told) {
    os::descriptor file = os::make_memory_file("multiprocessing-start");
    os::write_all(file.get(), serial::pack(told));
    os::rewind(file.get());
    return file;
}

inline std::vector<os::descriptor>& handed_descriptors() noexcept {
    return os::handed_descriptors();
}

namespace detail {

inline passport read_passport(const os::descriptor& file) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(os::file_size(file.get())));
    bytes.resize(os::read_all(file.get(), bytes));
    auto told = serial::unpack<passport>(bytes);
    if (told.build_id != os::build_id())
        throw NotPortableError(fmt::format("this program was built otherwise (build id {}) than the one that started it ({}), and "
                                           "couldn't find the functions to call: start the same program, or leave "
                                           "set_executable out",
                                           os::build_id(), told.build_id));
    return told;
}

inline int run_by(const passport& told, std::vector<os::descriptor>& handed, pid_t forked_by) {
    if (told.terms.daemon || told.terms.dies_with_parent)
        os::die_with(forked_by != 0 ? forked_by : told.parent); // first: until then it could be missed
    serial::message call;
    call.shares = memory::accept({told.slot, told.generation}, told.shares);
    call.bytes = told.call;
    choose_start_method(told.method);
    os::level(static_cast<os::log_level>(told.log_level));
    arrive(told.terms, {told.parent, told.parent_started, told.parent_name});
    if (told.settles) {
        settle(told.terms.conditions, handed.at(0).get());
        handed.erase(handed.begin());
    }
    handed_descriptors() = std::move(handed);
    serial::run_call(call);
    return 0;
}

} // namespace detail

[[noreturn]] inline void live_by(os::descriptor file, std::vector<os::descriptor> handed, pid_t forked_by) noexcept {
    leave(run([&] {
        const passport told = detail::read_passport(file);
        file.reset();
        return detail::run_by(told, handed, forked_by);
    }));
}

} // namespace multiprocessing::process
