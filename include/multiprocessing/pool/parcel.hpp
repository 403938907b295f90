// Floor 9, pool/parcel: handing an object from a worker to the owner of its crew, whoever dies in between.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <span>
#include <vector>

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/pool/board.hpp>

namespace multiprocessing::pool {

/// What a parcel begins with that has shared objects in it: how many, their names behind it, and how many bytes follow.
struct parcel_head {
    std::uint64_t names;
    std::uint64_t size;

    [[nodiscard]] memory::object_name* first_name() noexcept { return reinterpret_cast<memory::object_name*>(this + 1); }
    [[nodiscard]] std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(first_name() + names); }
};

/// The shares that a parcel names, as far as they have been given to this process.
[[nodiscard]] inline std::vector<memory::holding> shares_named_in(const memory::holding& parcel) {
    auto* head = static_cast<parcel_head*>(parcel.payload());
    const std::uint64_t room = parcel.size() < sizeof *head ? 0 : (parcel.size() - sizeof *head) / sizeof(memory::object_name);
    std::vector<memory::holding> shares;
    for (std::uint64_t i = 0; i < head->names && i < room; ++i) {
        try {
            shares.push_back(memory::holding::receive(head->first_name()[i]));
        } catch (const ProcessError&) {
            shares.emplace_back(); // not given, or gone: whoever asks for it is told
        }
    }
    return shares;
}

/// The worker's side. `commit(name)` writes the object's name where the owner looks for it, by one store, and
/// says whether it stands there now.
///
///     station.gift = name     the owner, should this worker die, looks here
///     the owner holds it too
///     commit(name)            from here on the owner knows of it by the place where it stands
///     station.gift = 0
///
/// A death before the commit leaves an object that the owner holds without knowing, or not yet: recover_parcel() finds it.
///
/// `shares` are what the object names, if it begins with a parcel_head; they are given behind it, and found through it.
template <typename Commit>
bool deliver(station& place, memory::seat owner, const memory::holding& object, Commit commit,
             std::span<const memory::holding> shares = {}) {
    const memory::object_name name = object.name();
    place.gift_has_shares.store(shares.empty() ? 0 : 1);
    place.gift.store(name);
    MULTIPROCESSING_STEP(parcel_named);
    object.give(owner);
    MULTIPROCESSING_STEP(parcel_given);
    for (const auto& share : shares) {
        share.give(owner);
        MULTIPROCESSING_STEP(share_given);
    }
    const bool stands = commit(name);
    MULTIPROCESSING_STEP(parcel_committed);
    if (!stands) object.take_back(owner);
    place.gift.store(0);
    MULTIPROCESSING_STEP(parcel_done);
    return stands;
}

/// The owner's side, after a worker's death: drops what it was delivering, unless `stands(name)`: it was committed.
template <typename Stands>
void recover_parcel(station& place, Stands stands) noexcept {
    const memory::object_name name = place.gift.exchange(0);
    if (name == 0 || stands(name)) return;
    try {
        const auto found = memory::holding::receive(name); // and let go at once
        if (place.gift_has_shares.load() != 0) static_cast<void>(shares_named_in(found));
    } catch (const std::exception&) {
        // It wasn't given yet, and died with its worker; or it was received, used and dropped already.
    }
}

} // namespace multiprocessing::pool
