// Floor 1, os/thread: a thread of this process.
#pragma once

#include <cerrno>
#include <csignal> // sigset_t
#include <functional>
#include <memory>
#include <utility> // std::exchange, std::move

#include <pthread.h>

#include <multiprocessing/os/error.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::os {

/// A thread that does one thing. `<thread>` would do, but costs everybody who includes it, and lets signals in.
///
///     os::thread helper([&] { serve(); });
///     helper.join();
///
/// - Python: `threading.Thread`.
/// - Signals: all are blocked in it, so that the program's handlers run on the program's threads.
/// - Threads: one at a time. The destructor waits for it. What it runs must not throw.
/// - Across fork(): the child has no such thread, and its copy of this object waits for nothing.
/// - Errors: std::system_error when there can't be another.
class thread {
public:
    thread() noexcept = default;
    explicit thread(std::function<void()> body);
    thread(thread&& other) noexcept : id_(other.id_), owner_(std::exchange(other.owner_, 0)) {}
    thread& operator=(thread&& other) noexcept {
        join();
        id_ = other.id_;
        owner_ = std::exchange(other.owner_, 0);
        return *this;
    }
    ~thread() { join(); }

    [[nodiscard]] explicit operator bool() const noexcept { return owner_ != 0; }
    /// Whether the caller is it.
    [[nodiscard]] bool is_current() const noexcept { return owner_ == pid() && ::pthread_equal(id_, ::pthread_self()) != 0; }

    /// Waits until it has ended. From the thread itself: lets it go.
    void join() noexcept {
        if (owner_ == pid() && owner_ != 0) {
            if (is_current())
                ::pthread_detach(id_);
            else
                ::pthread_join(id_, nullptr); // can't fail: it is joinable, and another
        }
        owner_ = 0;
    }

private:
    pthread_t id_{};
    pid_t owner_ = 0; // the process it runs in; 0: none
};

namespace detail {

struct signals_outside {
    bool known = false;
    sigset_t blocked{};
};
inline thread_local signals_outside blocked_by_starter; // known in such a thread alone

} // namespace detail

/// In a child that was forked by such a thread: blocks no more than who started the thread did.
inline void let_signals_in_again() noexcept {
    if (detail::blocked_by_starter.known) ::pthread_sigmask(SIG_SETMASK, &detail::blocked_by_starter.blocked, nullptr);
}

inline thread::thread(std::function<void()> body) {
    struct start {
        std::function<void()> body;
        sigset_t before{};
    };
    auto given = std::make_unique<start>();
    given->body = std::move(body);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before); // inherited by the new one; can't fail: the arguments are good
    given->before = before;
    const int code = ::pthread_create(
        &id_, nullptr,
        [](void* what) -> void* {
            const std::unique_ptr<start> mine(static_cast<start*>(what));
            detail::blocked_by_starter = {true, mine->before};
            mine->body();
            return nullptr;
        },
        given.get());
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (code != 0) throw_error(code, "cannot start a thread");
    static_cast<void>(given.release());
    owner_ = pid();
}

} // namespace multiprocessing::os
