// What children tell a test, and what keeps them waiting: pipes, made before the children and inherited by them.
#pragma once

#include <csignal>
#include <span>
#include <string>
#include <string_view>

#include <multiprocessing/os/descriptor.hpp>
#include <multiprocessing/os/poll.hpp>

namespace testing {

/// Told by any process, in one piece each time; heard by the one that made it.
class story {
public:
    void tell(std::string_view text) const {
        multiprocessing::os::write_all(pipe_.write.get(), std::as_bytes(std::span(text)));
    }

    /// The next so many characters, or fewer if everybody else who could tell something has ended.
    [[nodiscard]] std::string hear(std::size_t length) {
        pipe_.write.reset();
        std::string text(length, '\0');
        text.resize(multiprocessing::os::read_all(pipe_.read.get(), std::as_writable_bytes(std::span(text))));
        return text;
    }

    /// Everything, when everybody else who could tell something has ended.
    [[nodiscard]] std::string hear_all() {
        std::string all;
        for (std::string part; !(part = hear(256)).empty();) all += part;
        return all;
    }

    [[nodiscard]] int descriptor() const noexcept { return pipe_.write.get(); }

private:
    multiprocessing::os::pipe_ends pipe_ = multiprocessing::os::make_pipe();
};

/// Closed until somebody opens it, for good.
class gate {
public:
    void wait() const {
        static_cast<void>(multiprocessing::os::wait_readable(pipe_.read.get(), multiprocessing::os::deadline::never()));
    }
    void open() const { multiprocessing::os::write_all(pipe_.write.get(), std::as_bytes(std::span("!"))); }

private:
    multiprocessing::os::pipe_ends pipe_ = multiprocessing::os::make_pipe();
};

/// Until the test case ends, signals do what they do to any program: Catch handles those that it takes for crashes, and
/// its handlers would be inherited.
inline void let_signals_kill() {
    for (const int number : {SIGINT, SIGTERM, SIGABRT, SIGSEGV, SIGILL, SIGFPE}) std::signal(number, SIG_DFL);
}

} // namespace testing
