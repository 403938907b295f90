// Floor 8, process/start_method: fork, spawn, forkserver.
#pragma once

#include <optional>
#include <string>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>

namespace multiprocessing {

/// How a process is started.
///
/// - fork: as a copy of its creator. Any callable and any argument; nothing is serialised.
/// - spawn: as this program, run again.
/// - forkserver: as a copy of a clean process that forks on request.
///
/// - Python: the names "fork", "spawn", "forkserver".
enum class StartMethod { fork, spawn, forkserver };

[[nodiscard]] inline std::string to_string(StartMethod method) {
    switch (method) {
    case StartMethod::fork: return "fork";
    case StartMethod::spawn: return "spawn";
    case StartMethod::forkserver: return "forkserver";
    }
    throw ValueError(fmt::format("there is no start method {}", static_cast<int>(method)));
}

namespace process {

/// Refuses what can't be started yet.
inline void require_available(std::optional<StartMethod> method) {
    if (method.value_or(StartMethod::fork) != StartMethod::fork)
        throw NotPortableError(fmt::format("the start method '{}' isn't there yet: leave .start_method out, or give "
                                           "StartMethod::fork",
                                           to_string(*method)));
}

} // namespace process

} // namespace multiprocessing
