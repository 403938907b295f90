// Floor 1, os/log: what the library tells the user on stderr.
#pragma once

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib> // std::getenv
#include <optional>
#include <span>
#include <utility> // std::forward

#include <fmt/format.h>
#include <strings.h> // strcasecmp
#include <unistd.h>  // STDERR_FILENO

#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/error.hpp>
#include <multiprocessing/os/name.hpp>

namespace multiprocessing::os {

/// Python's numbers.
enum class log_level : int { debug = 10, info = 20, warning = 30, error = 40, none = 100 };

/// Writes one line, if its level is shown.
///
///     os::log(os::log_level::warning, "worker {} ended with exit code {}", pid, code);
///     // [WARNING/MainProcess] worker 4711 ended with exit code -9
///
/// One write(), so lines of several processes don't mix. Neither allocates nor locks, and leaves errno alone: it may
/// stand in a child forked by a program with threads, and between a failed call and its message. What is longer than 1
/// KiB is cut.
///
/// - Python: `multiprocessing.util`'s warning, info, debug. The level is set by
///   MULTIPROCESSING_LOG=debug|info|warning|error|none in the environment as well.
/// - Errors: none; a line that can't be formatted or written is lost.
template <typename... Args>
void log(log_level level, fmt::format_string<Args...> what, Args&&... args) noexcept;

/// The level of that name, in any case.
[[nodiscard]] inline std::optional<log_level> level_named(const char* name) noexcept;

/// From which level on lines are shown: `warning`, unless the environment or the program says otherwise.
inline log_level level() noexcept;
inline void level(log_level from) noexcept;

inline std::optional<log_level> level_named(const char* name) noexcept {
    struct named {
        const char* name;
        log_level level;
    };
    static constexpr std::array<named, 5> levels{{{"debug", log_level::debug},
                                                  {"info", log_level::info},
                                                  {"warning", log_level::warning},
                                                  {"error", log_level::error},
                                                  {"none", log_level::none}}};
    for (const named& known : levels)
        if (::strcasecmp(name, known.name) == 0) return known.level;
    return std::nullopt;
}

namespace detail {

inline constinit std::atomic<int> shown_level{0}; // 0: nobody has looked into the environment yet

inline log_level level_of_environment() noexcept {
    const char* const wanted = std::getenv("MULTIPROCESSING_LOG");
    return wanted == nullptr ? log_level::warning : level_named(wanted).value_or(log_level::warning);
}

inline const char* label(log_level level) noexcept {
    if (level >= log_level::error) return "ERROR";
    if (level >= log_level::warning) return "WARNING";
    return level >= log_level::info ? "INFO" : "DEBUG";
}

/// A line under construction; what doesn't fit is cut, and the cut shows.
class log_line {
public:
    void add(fmt::string_view what, fmt::format_args args) {
        const std::size_t room = text_.size() - 1 - length_; // 1: the newline
        const auto result = fmt::vformat_to_n(text_.data() + length_, room, what, args);
        length_ += result.size < room ? result.size : room;
        if (result.size > room)
            for (std::size_t i = 1; i <= 3; ++i) text_[length_ - i] = '.';
    }

    void write() noexcept {
        text_[length_++] = '\n';
        const auto bytes = std::as_bytes(std::span(text_).first(length_));
        retry([&] { return write_quietly(STDERR_FILENO, bytes); });
    }

private:
    std::array<char, 1024> text_; // below PIPE_BUF: a line of this length is never torn
    std::size_t length_ = 0;
};

inline void write_log_line(log_level level, fmt::string_view what, fmt::format_args args) noexcept {
    const int code = errno;
    try {
        log_line line;
        const char* const severity = label(level);
        const char* const process = name_or_default();
        line.add("[{}/{}] ", fmt::make_format_args(severity, process));
        line.add(what, args);
        line.write();
    } catch (...) {
        // a formatter of the arguments threw: there is no better place to say so than this one
    }
    errno = code;
}

} // namespace detail

template <typename... Args>
void log(log_level level, fmt::format_string<Args...> what, Args&&... args) noexcept {
    if (level < os::level() || level >= log_level::none) return;
    detail::write_log_line(level, what, fmt::make_format_args(args...));
}

inline log_level level() noexcept {
    int shown = detail::shown_level.load(std::memory_order_relaxed);
    if (shown == 0) {
        // Exchanged, not stored: the program may set its level just now, and that counts more.
        const int found = static_cast<int>(detail::level_of_environment());
        if (detail::shown_level.compare_exchange_strong(shown, found, std::memory_order_relaxed)) shown = found;
    }
    return static_cast<log_level>(shown);
}

inline void level(log_level from) noexcept {
    detail::shown_level.store(static_cast<int>(from), std::memory_order_relaxed);
}

} // namespace multiprocessing::os
