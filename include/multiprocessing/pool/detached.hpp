// Floor 9, pool/detached: calls on a crew that nobody waits for yet.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/os/futex.hpp>
#include <multiprocessing/pool/call.hpp>
#include <multiprocessing/pool/callable.hpp>
#include <multiprocessing/pool/crew.hpp>
#include <multiprocessing/pool/dispatch.hpp>
#include <multiprocessing/pool/entry.hpp>
#include <multiprocessing/pool/progress.hpp>

namespace multiprocessing::pool {

/// What all calls on a crew have in common.
template <typename T>
class crew_call : public call<T> {
public:
    explicit crew_call(std::shared_ptr<crew> on) noexcept : crew_(std::move(on)) {}

    bool await(const os::deadline& until) override {
        this->require_ours();
        if (os::spin_for([&] { return this->seems_over(); }) && this->arrived()) return true;
        this->want();
        return crew_->wait_until([&] { return this->arrived_locked(); }, until);
    }

    bool await_until(const std::function<bool()>& done, const os::deadline& until) override {
        this->require_ours();
        return crew_->wait_until([&] { return done(); }, until);
    }
    [[nodiscard]] const void* host() const noexcept override { return crew_.get(); }

protected:
    /// May be wrong, and needs no lock.
    [[nodiscard]] virtual bool seems_over() const noexcept = 0;
    void call_back_soon() override { crew_->call_back(this->shared_from_this()); }
    [[nodiscard]] bool runs_callbacks() const noexcept override { return crew_->is_collector(); }
    void require_ours() const {
        if (!crew_->is_ours()) throw ValueError("the result of a call on a Pool can be used by the process that made it alone");
    }

    std::shared_ptr<crew> crew_;
};

/// A whole job. `Heritage`: what heirs have inherited and their replacements must find.
template <typename T, typename Wanted>
class job_call final : public crew_call<T> {
public:
    job_call(std::shared_ptr<crew> on, unsigned j, Wanted wanted, std::shared_ptr<remains> rest, std::shared_ptr<void> heritage)
        : crew_call<T>(std::move(on)), j_(j), wanted_(std::move(wanted)), rest_(std::move(rest)), heritage_(std::move(heritage)) {}

    bool arrived() override {
        if (rest_->there.load(std::memory_order_acquire)) return true;
        this->require_ours();
        return this->crew_->found(j_, *rest_);
    }
    bool arrived_locked() override { return this->crew_->found_locked(j_, *rest_); }
    bool cancel() override {
        this->require_ours();
        if (arrived() || !this->crew_->cancel(j_, *rest_)) return false;
        cancelled_.store(true);
        return true;
    }
    bool running() override { return !arrived(); }
    bool cancelled() override { return cancelled_.load(); }
    bool failed() override { return rest_->there.load() && !rest_->how.good() && !cancelled_.load(); }

private:
    [[nodiscard]] bool seems_over() const noexcept override { return this->crew_->seems_over(j_, *rest_); }
    typename call<T>::value_type fetch() override {
        rest_->how.require_good();
        const std::byte* output = rest_->output_at != 0 ? memory::commons::here().at<const std::byte>(rest_->output_at) : rest_->small.data();
        rest_->parcels = false; // taken below
        struct letting_go {
            remains& all;
            ~letting_go() {
                drop_parcels(all.log); // those that weren't
                all.output = {};
                all.log = {};
            }
        } const at_end{*rest_};
        if constexpr (std::is_void_v<T>) {
            wanted_.collect(output, rest_->log);
            return {};
        } else {
            return wanted_.collect(output, rest_->log);
        }
    }

    unsigned j_;
    Wanted wanted_;
    std::shared_ptr<remains> rest_;
    std::shared_ptr<void> heritage_;
    std::atomic<bool> cancelled_{false};
};

/// A single task.
template <typename T>
class task_call final : public crew_call<T> {
public:
    task_call(std::shared_ptr<crew> on, placed where, std::unique_ptr<kept_input> input)
        : crew_call<T>(std::move(on)), where_(std::move(where)), input_(std::move(input)) {}
    ~task_call() override {
        if (!this->crew_->is_ours()) return; // a child's copy
        if (this->has_settled()) return;
        if (!where_.task().over()) {
            if (input_) this->crew_->keep_input(where_, std::move(input_));
            return;
        }
        try {
            static_cast<void>(take_parcel());
        } catch (const std::exception&) {
            // It is gone already.
        }
    }

    bool arrived() override { return where_.task().over() || this->crew_->terminated(); }
    bool arrived_locked() override { return arrived(); }
    void want() noexcept override { where_.task().state.fetch_or(entry::wanted); }
    bool cancel() override {
        this->require_ours();
        return this->crew_->cancel(where_);
    }
    bool running() override { return where_.task().now() == fate::running && !arrived(); }
    bool cancelled() override { return where_.task().now() == fate::cancelled; }
    bool failed() override {
        const fate how = where_.task().now();
        return how == fate::failed || how == fate::speechless || how == fate::lost || (how < fate::done && this->crew_->terminated());
    }

private:
    [[nodiscard]] bool seems_over() const noexcept override { return where_.task().over() || this->crew_->terminated(); }

    /// The object that the worker has delivered; nothing where there is none.
    memory::holding take_parcel() {
        entry& task = where_.task();
        const fate how = task.now();
        if ((how != fate::parcel && how != fate::failed) || task.value == 0) return {};
        return memory::holding::receive(std::exchange(task.value, 0));
    }
    typename call<T>::value_type fetch() override {
        this->require_ours();
        entry& task = where_.task();
        switch (task.now()) {
        case fate::done:
        case fate::parcel: {
            const memory::holding parcel = take_parcel();
            struct letting_go {
                task_call& all;
                ~letting_go() { all.input_ = nullptr; } // only now: its shares may be in the result
            } const at_end{*this};
            if constexpr (std::is_void_v<T>)
                return {};
            else
                return take_result<T>(task, parcel);
        }
        case fate::failed: input_ = nullptr; std::rethrow_exception(reported(take_parcel()));
        case fate::speechless: throw ProcessError("a task failed, and its worker had no memory left to say how");
        case fate::cancelled: throw CancelledError("the task was cancelled");
        case fate::lost: std::rethrow_exception(this->crew_->why_lost(where_));
        case fate::pending:
        case fate::running: break;
        }
        if (const auto why = this->crew_->broken()) std::rethrow_exception(why);
        throw CancelledError("the pool was terminated before this was done");
    }

    placed where_;
    std::unique_ptr<kept_input> input_;
};

/// f(item) on workers that stand already. `kept`: what they have inherited and their replacements must find.
template <typename F, typename Item>
auto submit(const std::shared_ptr<crew>& all, line& to, const F& f, const Item& item, const manner& how,
            std::shared_ptr<void> kept = nullptr) {
    using R = result_of<F, Item>;
    packed_input input;
    if (kept) input.kept = std::make_unique<kept_input>(kept_input{.large = {}, .shares = {}, .heritage = std::move(kept)});
    pack_input(input, item);
    placed where = all->append(to, input, how, [&](entry& task) {
        task.run = code_number(&run_entry<F, Item, false>);
        put_callable(task.callable, f);
    });
    return std::make_shared<task_call<R>>(all, std::move(where), std::move(input.kept));
}

/// f(item) on an heir forked at this moment. Both are moved to where they stay.
template <typename F, typename Item>
auto submit_to_heir(const std::shared_ptr<crew>& all, F&& f, Item&& item, const manner& how) {
    using Call = std::remove_cvref_t<F>;
    using Args = std::remove_cvref_t<Item>;
    using R = result_of<Call, Args>;
    struct heritage {
        Call f;
        Args item;
    };
    auto kept = std::make_shared<heritage>(heritage{std::forward<F>(f), std::forward<Item>(item)});
    packed_input input;
    input.kept = std::make_unique<kept_input>(kept_input{.large = {}, .shares = {}, .heritage = kept});
    const unsigned party = all->summon(1, true);
    line alone{nullptr, party, 1};
    placed where;
    try {
        where = all->append(alone, input, how, [&](entry& task) {
            task.run = code_number(&run_entry<Call, Args, true>);
            put_callable(task.callable, kept->f);
            task.input = reinterpret_cast<std::uintptr_t>(&kept->item);
        });
    } catch (...) {
        all->disband(party, false);
        throw;
    }
    all->end_line(alone);
    all->dismiss(party);
    return std::make_shared<task_call<R>>(all, std::move(where), std::move(input.kept));
}

/// Heirs and the line of tasks that they do, for as long as somebody appends to it.
class heirs_in_line {
public:
    explicit heirs_in_line(std::shared_ptr<crew> all) : crew_(std::move(all)) { line_.party = crew_->summon(crew_->size(), true); }
    heirs_in_line(const heirs_in_line&) = delete;
    heirs_in_line& operator=(const heirs_in_line&) = delete;
    ~heirs_in_line() {
        if (!crew_->is_ours()) return;
        crew_->end_line(line_);
        crew_->dismiss(line_.party); // what has been appended is done, or cancelled
    }
    [[nodiscard]] line& where() noexcept { return line_; }

private:
    std::shared_ptr<crew> crew_;
    line line_;
};

/// Has it shown how far a job has come that has been started.
template <typename T>
void show_progress(crew& all, unsigned j, call<T>& of, std::uint64_t n, const std::shared_ptr<remains>& rest) {
    auto shown = std::make_shared<progress_line>(n);
    all.show(j, rest, shown);
    of.when_done([shown = std::move(shown), n, rest] {
        if (rest->how.good())
            shown->finish(n);
        else
            shown->finish_early(rest->how.failure || rest->how.unspeakable);
    });
}

/// A job on workers that stand already.
template <typename T, typename F, typename Range, typename Wanted>
std::shared_ptr<call<T>> detach_on_standing(const std::shared_ptr<crew>& all, F& f, Range& range, std::uint64_t n, const manner& how,
                                            Wanted wanted) {
    using Item = std::ranges::range_value_t<Range>;
    booking job(*all, n, how);
    stage(job, range, n);
    put_callable(job.which().callable, f);
    job.which().run = code_number(&Wanted::template run_chunk<F, standing_items<Item>>);
    wanted.prepare(job, n);
    auto rest = std::make_shared<remains>();
    auto made = std::make_shared<job_call<T, Wanted>>(all, job.slot(), std::move(wanted), rest, nullptr);
    job.run_detached(0, rest);
    if (how.progress) show_progress(*all, job.slot(), *made, n, rest);
    return made;
}

/// A job on heirs forked at this moment. What it is tried with again, if it is, are copies of f and the items.
template <typename T, typename F, typename Range, typename Wanted>
std::shared_ptr<call<T>> detach_on_heirs(const std::shared_ptr<crew>& all, F& f, Range& range, std::uint64_t n, const manner& how,
                                         Wanted wanted) {
    using Item = std::ranges::range_value_t<Range>;
    const auto detach = [&](F& call, const auto* first, std::uint64_t code, std::shared_ptr<void> heritage) {
        booking job(*all, n, how);
        put_callable(job.which().callable, call);
        job.which().input = reinterpret_cast<std::uintptr_t>(first);
        job.which().run = code;
        wanted.prepare(job, n);
        auto rest = std::make_shared<remains>();
        const bool again = heritage != nullptr;
        auto made = std::make_shared<job_call<T, Wanted>>(all, job.slot(), std::move(wanted), rest, std::move(heritage));
        following heirs(*all, n, again);
        job.run_detached(heirs.party(), rest);
        heirs.let_go();
        if (how.progress) show_progress(*all, job.slot(), *made, n, rest);
        return made;
    };
    if constexpr (std::copy_constructible<F> && std::copy_constructible<Item> && !std::is_same_v<Item, bool>) {
        if (how.retries != 0) {
            struct copies {
                F f;
                std::vector<Item> items;
                typename std::vector<Item>::iterator first;
            };
            auto kept = std::make_shared<copies>(copies{f, std::vector<Item>(std::ranges::begin(range), std::ranges::end(range)), {}});
            kept->first = kept->items.begin();
            using Items = items_inherited<typename std::vector<Item>::iterator, Item, false>;
            return detach(kept->f, &kept->first, code_number(&Wanted::template run_chunk<F, Items>), kept);
        }
    }
    return with_heritage<F, Wanted>(range, n, [&](const auto* first, std::uint64_t code) -> std::shared_ptr<call<T>> {
        return detach(f, first, code, nullptr);
    });
}

} // namespace multiprocessing::pool
