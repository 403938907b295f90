// Floor 9, pool/progress: how far a call has come, on stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio> // std::fwrite, stderr
#include <string>

#include <fmt/format.h>

#include <multiprocessing/os/terminal.hpp>

namespace multiprocessing::pool {

/// A bar that is drawn over itself on a terminal; in a file a line a second at most, and one at the end.
///
///     [##########..........] 500/1000  49.8/s  elapsed 0:10  left 0:10  failed 0
///
/// - Threads: one at a time.
class progress_line {
public:
    using clock = std::chrono::steady_clock;
    static constexpr auto interval = std::chrono::milliseconds(100);
    static constexpr std::uint64_t unknown = ~std::uint64_t{0};

    explicit progress_line(std::uint64_t total, bool on_terminal = os::stderr_is_terminal(), std::FILE* to = stderr)
        : total_(total), on_terminal_(on_terminal), to_(to) {}

    /// If it is time for it.
    void show(std::uint64_t done, std::uint64_t failed = 0) {
        const auto at = clock::now();
        if (at - shown_ < (on_terminal_ ? std::chrono::milliseconds(interval) : std::chrono::milliseconds(1000))) return;
        shown_ = at;
        done_ = done;
        write(done, failed, on_terminal_ ? "" : "\n");
    }
    /// In any case, for the last time.
    void finish(std::uint64_t done, std::uint64_t failed = 0) { write(done, failed, "\n"); }
    /// The same, where nobody knows any more how far it came: as far as was shown.
    void finish_early(bool failed) { write(done_, failed ? 1 : 0, "\n"); }

    [[nodiscard]] static std::string describe(std::uint64_t done, std::uint64_t total, std::uint64_t failed, double seconds) {
        const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
        const auto time = [](double s) {
            const auto whole = static_cast<std::uint64_t>(s);
            return whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                                 : fmt::format("{}:{:02}", whole / 60, whole % 60);
        };
        if (total == unknown) return fmt::format("{}  {:.4g}/s  elapsed {}  failed {}", done, rate, time(seconds), failed);
        constexpr std::uint64_t width = 20;
        const std::uint64_t full = total == 0 ? width : done * width / total;
        const std::string left = rate > 0 ? time(static_cast<double>(total - done) / rate) : "?";
        return fmt::format("[{:#<{}}{:.<{}}] {}/{}  {:.4g}/s  elapsed {}  left {}  failed {}", "", full, "", width - full, done, total, rate,
                           time(seconds), left, failed);
    }

private:
    void write(std::uint64_t done, std::uint64_t failed, const char* end) {
        const double seconds = std::chrono::duration<double>(clock::now() - begun_).count();
        const std::string text = fmt::format("{}{}{}", on_terminal_ ? "\r\x1b[K" : "", describe(done, total_, failed, seconds), end);
        std::fwrite(text.data(), 1, text.size(), to_);
        std::fflush(to_);
    }

    std::uint64_t total_;
    bool on_terminal_;
    std::FILE* to_;
    clock::time_point begun_ = clock::now();
    clock::time_point shown_ = begun_;
    std::uint64_t done_ = 0;
};

} // namespace multiprocessing::pool
