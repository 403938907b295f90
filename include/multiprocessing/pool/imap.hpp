// Floor 9, pool/imap: IMapIterator: results one by one, of an input that is gone through no faster than they are asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/pool/call.hpp>
#include <multiprocessing/pool/progress.hpp>

namespace multiprocessing {

namespace pool {

/// Where an IMapIterator gets its results.
template <typename R>
class imap_source {
public:
    using value_type = typename call<R>::value_type;

    imap_source() = default;
    imap_source(const imap_source&) = delete;
    imap_source& operator=(const imap_source&) = delete;
    virtual ~imap_source() = default;

    /// The next result, or what it failed with; none at the end. TimeoutError when the time is up.
    virtual std::optional<value_type> next(const os::deadline& until) = 0;
};

/// Keeps so many calls going: `begin(item)` begins one and returns it.
template <typename R, typename Range, typename Begin>
class imap_window final : public imap_source<R> {
public:
    using typename imap_source<R>::value_type;
    using pointer = std::shared_ptr<call<R>>;

    imap_window(Range&& range, Begin begin, std::uint64_t ahead, bool ordered, bool shown = false)
        : range_(std::forward<Range>(range)), begin_(std::move(begin)), at_(std::ranges::begin(range_)), ahead_(ahead),
          ordered_(ordered) {
        if (shown) shown_.emplace(progress_line::unknown);
        fill();
    }
    ~imap_window() override {
        for (const numbered& each : calls_) {
            try {
                each.call->cancel();
            } catch (const std::exception&) {
                // another process's copy
            }
        }
    }

    std::optional<value_type> next(const os::deadline& until) override {
        if (calls_.empty()) {
            if (shown_) shown_->finish(done_, failed_);
            shown_.reset();
            if (input_failed_) std::rethrow_exception(std::exchange(input_failed_, nullptr));
            return std::nullopt;
        }
        auto found = calls_.begin();
        if (ordered_) {
            if (!found->call->wait(until)) throw TimeoutError("the next result isn't there yet");
        } else {
            const auto arrived = [&](auto has_arrived) {
                for (found = calls_.begin(); found != calls_.end(); ++found)
                    if (has_arrived(*found->call)) return true;
                return false;
            };
            if (!arrived([](auto& each) { return each.arrived(); })) {
                for (const numbered& each : calls_) each.call->want();
                if (!calls_.front().call->await_until([&] { return arrived([](auto& each) { return each.arrived_locked(); }); }, until))
                    throw TimeoutError("no result is there yet");
            }
        }
        const numbered next = std::move(*found);
        calls_.erase(found);
        fill(); // before the caller is busy with this one
        ++done_;
        failed_ += next.call->failed();
        if (shown_) shown_->show(done_, failed_);
        try {
            return next.call->take();
        } catch (const WorkerLostError& lost) { // the call knows of no items
            if (typeid(lost) != typeid(WorkerLostError)) throw; // a task threw it
            throw WorkerLostError(std::string(lost.what()) + " for item " + std::to_string(next.item), lost.pid(), lost.exitcode(),
                                  next.item, lost.backtrace());
        }
    }

private:
    struct numbered {
        pointer call;
        std::size_t item;
    };

    // An exception of the input stands where its item would have been, and ends it.
    void fill() {
        while (!input_failed_ && !at_end_ && calls_.size() < ahead_) {
            try {
                if (moves_on_) ++at_;
                moves_on_ = false;
                if (at_ == std::ranges::end(range_)) {
                    at_end_ = true;
                    return;
                }
                calls_.push_back({begin_(*at_), items_});
                ++items_;
                moves_on_ = true; // not before the next is wanted: the input may be slow
            } catch (...) {
                input_failed_ = std::current_exception();
            }
        }
    }

    Range range_; // a reference, or its own
    Begin begin_;
    std::ranges::iterator_t<std::remove_reference_t<Range>> at_;
    bool moves_on_ = false;
    bool at_end_ = false;
    std::exception_ptr input_failed_;
    std::deque<numbered> calls_;
    std::size_t items_ = 0; // that were begun
    std::uint64_t ahead_;
    bool ordered_;
    std::optional<progress_line> shown_;
    std::uint64_t done_ = 0;
    std::uint64_t failed_ = 0;
};

} // namespace pool

/// What imap() returns: the results, one by one, as an input range.
///
///     for (const std::string& page : pool.imap(render, numbers)) show(page);
///
///     auto results = pool.imap(parse, files);      // or, to go on after a failure:
///     for (;;) {
///         try { use(results.next()); }
///         catch (const mp::StopIteration&) { break; }
///         catch (const std::exception& error) { report(error); }
///     }
///
/// The input is gone through lazily, never more than MapOptions::buffersize items ahead of the results asked for, so it may
/// be endless. An lvalue is referred to and must stay; an rvalue is kept. What an item throws is thrown in its place, and
/// what comes after it comes. What the input throws is thrown in its place too, and is the end.
///
/// - Python: the iterators of `Pool.imap`; there a failure in a chunk loses the rest of it, and the input is read at once.
/// - Destroying it cancels what hasn't been begun.
/// - Threads: one at a time; `next()` is where the input is read.
/// - When a worker dies: its item fails with WorkerLostError, in its place.
/// - Errors: StopIteration past the end; TimeoutError when the time is up, and the result comes later.
template <typename R>
class IMapIterator {
public:
    using value_type = typename pool::imap_source<R>::value_type; ///< std::monostate where the function returns nothing

    explicit IMapIterator(std::unique_ptr<pool::imap_source<R>> source) : source_(std::move(source)) {}

    /// The next result.
    value_type next() { return next_until(os::deadline::never()); }
    template <typename Rep, typename Period>
    value_type next(std::chrono::duration<Rep, Period> timeout) {
        return next_until(os::deadline(timeout));
    }

    class iterator {
    public:
        using value_type = typename IMapIterator::value_type;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        iterator() = default;
        explicit iterator(IMapIterator* from) : from_(from) { ++*this; }
        value_type& operator*() const { return *from_->current_; }
        iterator& operator++() {
            from_->current_ = from_->source_->next(os::deadline::never());
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const { return !from_->current_; }

    private:
        IMapIterator* from_ = nullptr;
    };

    /// Once; what was taken is gone.
    iterator begin() { return iterator(this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    value_type next_until(const os::deadline& until) {
        if (!source_) throw ValueError("this IMapIterator was moved from");
        std::optional<value_type> next = source_->next(until);
        if (!next) throw StopIteration("the results are at their end");
        return std::move(*next);
    }

    std::unique_ptr<pool::imap_source<R>> source_;
    std::optional<value_type> current_;
};

} // namespace multiprocessing
