// Floor 2, memory/pins: what keeps an object alive while a message names it.
#pragma once

#include <atomic>
#include <cstdint>
#include <new> // std::bad_alloc

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/commons.hpp>
#include <multiprocessing/memory/hints.hpp>

namespace multiprocessing::memory {

/// A message on its way may name objects that no process holds any more: the sender has dropped them, or died. A pin holds
/// such an object in the name of the message.
///
///     free -> made_by(member) -> kept_by(message) -> free, generation + 1
///                    \--------------------------------^
///
/// | word    | who writes it                                       | a writer killed in between leaves            |
/// | ------- | --------------------------------------------------- | -------------------------------------------- |
/// | state   | by compare-and-swap                                 | made: freed by the member's undertaker; kept: freed with the message |
/// | target  | who is in made, 0 by who frees it                   | the name of an object that may be gone       |
/// | version | + 1 after a target was stored, before its sender can let go | nothing: it is only compared         |
///
/// Whether an object is held by anybody is asked of pins and of holders, and in between a share may move from one to the
/// other: records::nobody_left() tells why the version is enough.
///
/// Growth: looks at all pins that were ever in use at once; that many messages with objects in them were on their way.
class pins {
public:
    using index = std::uint32_t;

    explicit pins(commons& all) noexcept : all_(all) {}

    /// A pin for an object that the member holds. Throws std::bad_alloc.
    [[nodiscard]] index make(std::uint32_t member, std::uint64_t target);
    /// It belongs to that message from now on.
    void keep(index which, std::uint32_t member, std::uint32_t message) noexcept;
    void free(index which) noexcept;

    /// 0 when the message has no such pin.
    [[nodiscard]] std::uint64_t target_of(index which, std::uint32_t message) const noexcept;
    [[nodiscard]] std::uint64_t target_of(index which) const noexcept { return at(which).target.load(); }
    /// Whether a pin holds that object.
    [[nodiscard]] bool target(std::uint64_t name) const noexcept;
    [[nodiscard]] std::uint64_t version() const noexcept { return all_.header().pin_version.load(); }

    template <typename F>
    void for_each_made_by(std::uint32_t member, F f) const {
        for_each(phase::made, member, f);
    }
    template <typename F>
    void for_each_kept_by(std::uint32_t message, F f) const {
        for_each(phase::kept, message, f);
    }
    [[nodiscard]] std::uint64_t count() const noexcept;

private:
    enum class phase : std::uint64_t { free, made, kept };

    struct pin {
        std::atomic<std::uint64_t> state;
        std::atomic<std::uint64_t> target;
    };
    static_assert(sizeof(pin) == 16);

    static std::uint64_t encode(phase is, std::uint32_t by, std::uint64_t generation) noexcept {
        return static_cast<std::uint64_t>(is) | std::uint64_t{by} << 2 | generation << 34;
    }
    static phase phase_of(std::uint64_t state) noexcept { return static_cast<phase>(state & 3); }
    static std::uint32_t by(std::uint64_t state) noexcept { return static_cast<std::uint32_t>(state >> 2); }
    static std::uint64_t generation_of(std::uint64_t state) noexcept { return state >> 34; }

    [[nodiscard]] pin& at(index which) const noexcept { return all_.at<pin>(all_.map().pins.slots)[which]; }
    [[nodiscard]] index used() const noexcept {
        return static_cast<index>(hints(all_.data(), all_.map().pins).fresh());
    }

    template <typename F>
    void for_each(phase is, std::uint32_t whose, F f) const {
        for (index i = 0, end = used(); i < end; ++i) {
            const std::uint64_t state = at(i).state.load();
            if (phase_of(state) == is && by(state) == whose) f(i);
        }
    }

    commons& all_;
};

inline pins::index pins::make(std::uint32_t member, std::uint64_t target) {
    const auto deaths = all_.header().deaths.load(std::memory_order_acquire);
    const auto claim = [&](std::uint64_t i) {
        pin& p = at(static_cast<index>(i));
        std::uint64_t state = p.state.load();
        if (phase_of(state) != phase::free) return false;
        const bool mine = p.state.compare_exchange_strong(state, encode(phase::made, member, generation_of(state) + 1));
        MULTIPROCESSING_STEP(pin_claimed);
        return mine;
    };
    const auto is_free = [&](std::uint64_t i) { return phase_of(at(static_cast<index>(i)).state.load()) == phase::free; };
    const auto taken = hints(all_.data(), all_.map().pins).take(deaths, claim, is_free);
    if (!taken) throw std::bad_alloc();
    at(static_cast<index>(*taken)).target.store(target);
    MULTIPROCESSING_STEP(pin_set);
    all_.header().pin_version.fetch_add(1);
    MULTIPROCESSING_STEP(pin_announced);
    return static_cast<index>(*taken);
}

inline void pins::keep(index which, std::uint32_t member, std::uint32_t message) noexcept {
    std::uint64_t state = at(which).state.load();
    if (phase_of(state) != phase::made || by(state) != member) return;
    at(which).state.compare_exchange_strong(state, encode(phase::kept, message, generation_of(state)));
    MULTIPROCESSING_STEP(pin_kept);
}

inline void pins::free(index which) noexcept {
    pin& p = at(which);
    std::uint64_t state = p.state.load();
    if (phase_of(state) == phase::free) return;
    p.target.store(0); // while it is ours: a free pin's target must not be taken for one
    MULTIPROCESSING_STEP(pin_cleared);
    p.state.compare_exchange_strong(state, encode(phase::free, 0, generation_of(state)));
    MULTIPROCESSING_STEP(pin_free);
    hints(all_.data(), all_.map().pins).set(which);
}

inline std::uint64_t pins::target_of(index which, std::uint32_t message) const noexcept {
    if (which >= used()) return 0;
    const std::uint64_t state = at(which).state.load();
    return phase_of(state) == phase::kept && by(state) == message ? at(which).target.load() : 0;
}

inline bool pins::target(std::uint64_t name) const noexcept {
    for (index i = 0, end = used(); i < end; ++i)
        if (at(i).target.load() == name) return true;
    return false;
}

inline std::uint64_t pins::count() const noexcept {
    std::uint64_t n = 0;
    for (index i = 0, end = used(); i < end; ++i) n += phase_of(at(i).state.load()) != phase::free;
    return n;
}

} // namespace multiprocessing::memory
