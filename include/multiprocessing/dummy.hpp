// Roof, dummy: the names of the library on threads of this process.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include <multiprocessing/channel/joinable_queue.hpp>
#include <multiprocessing/channel/pipe.hpp>
#include <multiprocessing/channel/queue.hpp>
#include <multiprocessing/channel/simple_queue.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/manager.hpp>
#include <multiprocessing/manager/server.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/os/log.hpp>
#include <multiprocessing/os/thread.hpp>
#include <multiprocessing/pool/thread_pool.hpp>
#include <multiprocessing/process/process.hpp>
#include <multiprocessing/shared/array.hpp>
#include <multiprocessing/shared/value.hpp>
#include <multiprocessing/sync/barrier.hpp>
#include <multiprocessing/sync/condition.hpp>
#include <multiprocessing/sync/event.hpp>
#include <multiprocessing/sync/lock.hpp>
#include <multiprocessing/sync/recursive_lock.hpp>
#include <multiprocessing/sync/semaphore.hpp>

namespace multiprocessing::dummy {

// What works among processes works among threads.
using multiprocessing::Array;
using multiprocessing::Barrier;
using multiprocessing::BoundedSemaphore;
using multiprocessing::Condition;
using multiprocessing::Event;
using multiprocessing::JoinableQueue;
using multiprocessing::Lock;
using multiprocessing::Pipe;
using multiprocessing::Queue;
using multiprocessing::RLock;
using multiprocessing::Semaphore;
using multiprocessing::SimpleQueue;
using multiprocessing::Value;

/// As mp::Pool, on threads.
using Pool = pool::ThreadPool;

/// A thread with the interface of Process.
///
///     mp::dummy::Process p(work, 1, "two");
///     p.start();
///     p.join();
///
/// - Python: `multiprocessing.dummy.Process`.
/// - What isn't as in Process: it works on this program's memory, and can't be terminated or killed; destroying one that runs
///   waits for it. exitcode() is 0 when it has ended, also by an exception, which is logged.
/// - Threads: one at a time.
class Process {
public:
    template <typename F, typename... Args>
        requires(!std::is_same_v<std::remove_cvref_t<F>, ProcessOptions> && !std::is_same_v<std::remove_cvref_t<F>, Process>)
    explicit Process(F&& target, Args&&... args) : Process(ProcessOptions{}, std::forward<F>(target), std::forward<Args>(args)...) {}
    /// Of the options the name and `daemon` mean something.
    template <typename F, typename... Args>
    Process(const ProcessOptions& options, F&& target, Args&&... args) : story_(std::make_shared<story>()) {
        story_->name = options.name.empty() ? fmt::format("DummyProcess-{}", number().fetch_add(1) + 1) : options.name;
        story_->daemon = options.daemon.value_or(false);
        auto call = std::make_shared<std::tuple<std::decay_t<F>, std::decay_t<Args>...>>(std::forward<F>(target),
                                                                                      std::forward<Args>(args)...);
        story_->target = [call] { std::apply([](auto& f, auto&... with) { static_cast<void>(std::invoke(f, std::move(with)...)); }, *call); };
    }

    void start() {
        if (thread_ || story_->state.load() != unborn) throw ValueError("cannot start a process twice");
        story_->state.store(running);
        thread_ = os::thread([mine = story_] {
            try {
                std::exchange(mine->target, nullptr)();
            } catch (const std::exception& error) {
                os::log(os::log_level::error, "{} threw {}", mine->name, error.what());
            } catch (...) {
                os::log(os::log_level::error, "{} threw what is no std::exception", mine->name);
            }
            mine->state.store(ended);
            os::wake_all(mine->state);
        });
    }
    void join() { static_cast<void>(join_until(os::deadline::never())); }
    /// False when the time is up.
    template <typename Rep, typename Period>
    bool join(std::chrono::duration<Rep, Period> timeout) {
        return join_until(os::deadline(timeout));
    }

    [[nodiscard]] bool is_alive() const noexcept { return story_->state.load() == running; }
    [[nodiscard]] std::optional<int> exitcode() const noexcept {
        return story_->state.load() == ended ? std::optional(0) : std::nullopt;
    }
    [[nodiscard]] const std::string& name() const noexcept { return story_->name; }
    void name(std::string given) { story_->name = std::move(given); }
    [[nodiscard]] bool daemon() const noexcept { return story_->daemon; }

private:
    enum : std::uint32_t { unborn, running, ended };
    struct story {
        std::string name;
        bool daemon = false;
        std::function<void()> target;
        std::atomic<std::uint32_t> state{unborn};
    };

    [[nodiscard]] static std::atomic<unsigned>& number() noexcept {
        static std::atomic<unsigned> count{0};
        return count;
    }
    bool join_until(const os::deadline& until) {
        if (story_->state.load() == unborn) throw ValueError("can only join a started process");
        if (thread_.is_current()) throw ValueError("cannot join the current process");
        while (story_->state.load() != ended)
            if (!os::sleep_on(story_->state, running, until)) return story_->state.load() == ended;
        thread_.join();
        return true;
    }

    std::shared_ptr<story> story_;
    os::thread thread_;
};

/// mp::Manager without a process: what is registered is served by threads of this one. All else is what Manager makes, which works
/// among threads as among processes.
///
///     mp::dummy::Manager manager;
///     auto d = manager.dict();
///     mp::dummy::Process p([d] { d["a"] = 1; });
///
/// - Python: `multiprocessing.dummy.Manager`, which is plain dicts and lists.
/// - What isn't as in Manager: there are no options, hence no address; Pool() is a dummy::Pool.
/// - Threads: one that serves, and one for each call of a registered type that is under way.
class Manager : public SyncManager {
public:
    Manager() : Manager([](SyncManager&) {}) {}
    /// With types of one's own: `Manager([](mp::SyncManager& m) { m.register_type<Counter>("Counter"); })`.
    template <std::invocable<SyncManager&> F>
    explicit Manager(F register_types) {
        register_types(static_cast<SyncManager&>(*this));
        serving_ = std::make_unique<serving>(get_server());
    }
    Manager(Manager&&) noexcept = default;
    Manager& operator=(Manager&&) noexcept = default;

    template <typename... Args>
    [[nodiscard]] pool::ThreadPool Pool(Args&&... args) const {
        return pool::ThreadPool(std::forward<Args>(args)...);
    }

private:
    struct serving {
        explicit serving(Server s) : server(std::move(s)), thread([this] { serve(); }) {}
        ~serving() {
            server.stop();
            thread.join();
        }
        void serve() noexcept {
            try {
                server.serve_forever();
            } catch (const ValueError&) {
                // it was stopped before it began
            }
        }
        Server server;
        os::thread thread;
    };

    std::unique_ptr<serving> serving_;
};

} // namespace multiprocessing::dummy
