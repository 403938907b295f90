// Floor 9, pool/trace: what each worker did when, for a picture of it.
#pragma once

#include <algorithm> // std::min
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>   // std::fopen
#include <iterator> // std::back_inserter
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/error.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::pool {

/// A stretch of work: one chunk of one job.
struct stretch {
    std::uint64_t begun = 0; ///< nanoseconds on the monotonic clock
    std::uint64_t ended = 0;
    std::uint64_t job = 0;   ///< a number of its own
    std::uint64_t first = 0; ///< item
    std::uint64_t items = 0;
    std::uint64_t pid = 0;
};

/// The latest stretches of one station, its predecessors' included.
///
/// | word    | who writes it                                     | a writer killed in between leaves         |
/// | ------- | ------------------------------------------------- | ----------------------------------------- |
/// | entries | the worker of this station, in a circle           | an entry that isn't counted               |
/// | written | the same, after the entry                         | nothing                                   |
struct alignas(64) track {
    static constexpr std::uint64_t room = 4096;

    std::atomic<std::uint64_t> written;
    std::array<std::array<std::atomic<std::uint64_t>, 6>, room> entries;

    void add(const stretch& s) noexcept {
        const std::uint64_t n = written.load(std::memory_order_relaxed);
        std::size_t i = 0;
        for (const std::uint64_t word : {s.begun, s.ended, s.job, s.first, s.items, s.pid})
            entries[n % room][i++].store(word, std::memory_order_release); // none before the count of those that it overwrites
        written.store(n + 1, std::memory_order_release);
    }

    /// Those that stand there, the oldest first; what is overwritten while one reads is left out.
    [[nodiscard]] std::vector<stretch> read() const {
        std::vector<stretch> all;
        const std::uint64_t end = written.load(std::memory_order_acquire);
        const std::uint64_t begin = end < room ? 0 : end - room + 1; // the oldest may be being overwritten
        for (std::uint64_t n = begin; n < end; ++n) {
            std::array<std::uint64_t, 6> words{};
            for (std::size_t i = 0; i < words.size(); ++i) words[i] = entries[n % room][i].load(std::memory_order_acquire);
            all.push_back({words[0], words[1], words[2], words[3], words[4], words[5]});
        }
        const std::uint64_t now = written.load(std::memory_order_acquire);
        const std::uint64_t valid = now < room ? 0 : now - room + 1;
        if (valid > begin) all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(valid, end) - begin));
        return all;
    }
};

/// Writes tracks in the Trace Event format, which Perfetto and chrome://tracing open: a row a worker, a slice a stretch.
/// Errors: std::system_error when the file can't be written.
inline void write_trace(const std::string& path, const memory::handle<track[]>& tracks) {
    std::string text = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
    const pid_t pid = os::pid();
    auto out = std::back_inserter(text);
    fmt::format_to(out, R"({{"name":"process_name","ph":"M","pid":{0},"args":{{"name":"pool of {0}"}}}})", pid);
    for (std::size_t w = 0; w < tracks.size() / sizeof(track); ++w) {
        const std::vector<stretch> all = tracks[w].read();
        if (all.empty()) continue;
        fmt::format_to(out, ",\n{{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":{},\"tid\":{},\"args\":{{\"name\":\"worker {}\"}}}}", pid, w + 1,
                       w);
        for (const stretch& s : all)
            fmt::format_to(out,
                           ",\n{{\"name\":\"job {}\",\"cat\":\"work\",\"ph\":\"X\",\"ts\":{}.{:03},\"dur\":{}.{:03},\"pid\":{},\"tid\":{},"
                           "\"args\":{{\"first\":{},\"items\":{},\"pid\":{}}}}}",
                           s.job, s.begun / 1000, s.begun % 1000, (s.ended - s.begun) / 1000, (s.ended - s.begun) % 1000, pid, w + 1,
                           s.first, s.items, s.pid);
    }
    text += "\n]}\n";

    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "we"), &std::fclose);
    if (!file) os::throw_errno("cannot open {} for a trace", path);
    if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() || std::fflush(file.get()) != 0)
        os::throw_errno("cannot write the trace to {}", path);
}

} // namespace multiprocessing::pool
