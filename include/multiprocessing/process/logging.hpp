// Floor 8, process/logging: the log of this library, for its user's own lines too.
#pragma once

#include <utility>

#include <fmt/format.h>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/log.hpp>

namespace multiprocessing {

/// Python's numbers: debug 10, info 20, warning 30, error 40; and none, 100.
using LogLevel = os::log_level;

/// What this library has to say, and what its user says by the same way: lines on stderr, each with its level and the name of its
/// process, none torn by another process's.
///
///     mp::log_to_stderr(mp::LogLevel::info);
///     mp::get_logger().info("doubled {}", n);          // [INFO/Process-1] doubled 21
///
/// Shown are warnings and errors, unless log_to_stderr(), setLevel() or MULTIPROCESSING_LOG=debug|info|warning|error|none in the
/// environment says otherwise.
///
/// - Python: the logger "multiprocessing". There are no handlers and filters here; stderr is where lines go.
/// - Threads and processes: any may write; the level is each process's own.
/// - Start methods: a child begins with its parent's level.
/// - Errors: none; a line that can't be formatted or written is lost. What is longer than 1 KiB is cut.
class Logger {
public:
    template <typename... Args>
    void debug(fmt::format_string<Args...> what, Args&&... args) const noexcept {
        os::log(LogLevel::debug, what, std::forward<Args>(args)...);
    }
    template <typename... Args>
    void info(fmt::format_string<Args...> what, Args&&... args) const noexcept {
        os::log(LogLevel::info, what, std::forward<Args>(args)...);
    }
    template <typename... Args>
    void warning(fmt::format_string<Args...> what, Args&&... args) const noexcept {
        os::log(LogLevel::warning, what, std::forward<Args>(args)...);
    }
    template <typename... Args>
    void error(fmt::format_string<Args...> what, Args&&... args) const noexcept {
        os::log(LogLevel::error, what, std::forward<Args>(args)...);
    }

    /// From which level on lines are shown in this process, and in children started later. 0: as if nobody had said.
    void setLevel(LogLevel from) const noexcept { os::level(from); }
    void setLevel(int from) const noexcept { os::level(static_cast<LogLevel>(from)); }
    [[nodiscard]] LogLevel level() const noexcept { return os::level(); }
    [[nodiscard]] int getEffectiveLevel() const noexcept { return static_cast<int>(level()); }
    [[nodiscard]] bool isEnabledFor(LogLevel asked) const noexcept { return asked >= level() && asked < LogLevel::none; }
};

/// There is one in each process.
[[nodiscard]] inline Logger& get_logger() noexcept {
    static Logger logger;
    return logger;
}

/// Shows lines from `level` on. They go to stderr in any case; without a level nothing changes.
///
/// - Python: `multiprocessing.log_to_stderr`. There nothing below a warning is shown before, and nothing well-formed.
inline Logger& log_to_stderr() noexcept { return get_logger(); }
inline Logger& log_to_stderr(LogLevel level) noexcept {
    os::level(level);
    return get_logger();
}
inline Logger& log_to_stderr(int level) noexcept { return log_to_stderr(static_cast<LogLevel>(level)); }
/// "DEBUG", "INFO", "WARNING", "ERROR", "none". ValueError for another name.
inline Logger& log_to_stderr(const char* level) {
    const auto named = os::level_named(level);
    if (!named) throw ValueError(fmt::format("there is no log level '{}'", level));
    return log_to_stderr(*named);
}

} // namespace multiprocessing
