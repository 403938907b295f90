// Floor 1, os/name: what this process is called.
#pragma once

#include <atomic>
#include <string>
#include <utility> // std::move

namespace multiprocessing::os {

/// "MainProcess", "Process-1", or what it was given; for messages. A forked child begins with its parent's.
inline std::string name();

/// Names this process. Threads: safe.
inline void name(std::string text);

namespace detail {

/// Names are read without a lock (the log may run in a signal handler, or in a child forked while another thread was in
/// here), so none is ever freed: each keeps the one before it.
struct process_name {
    std::string text;
    const process_name* before;
};

inline constinit std::atomic<const process_name*> current_name{nullptr};

/// Never null, and valid for ever.
inline const char* name_or_default() noexcept {
    const process_name* const current = current_name.load(std::memory_order_acquire);
    return current != nullptr ? current->text.c_str() : "MainProcess";
}

} // namespace detail

inline std::string name() {
    return detail::name_or_default();
}

inline void name(std::string text) {
    auto* const named = new detail::process_name{std::move(text), detail::current_name.load(std::memory_order_relaxed)};
    while (!detail::current_name.compare_exchange_weak(named->before, named, std::memory_order_acq_rel)) {}
}

} // namespace multiprocessing::os
