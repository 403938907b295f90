// Floor 9, pool/parcel: handing an object from a worker to the owner of its crew, whoever dies in between.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>

#include <multiprocessing/config.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/pool/board.hpp>

namespace multiprocessing::pool {

/// The worker's side. `commit(name)` writes the object's name where the owner looks for it, by one store, and
/// says whether it stands there now.
///
///     station.gift = name     the owner, should this worker die, looks here
///     the owner holds it too
///     commit(name)            from here on the owner knows of it by the place where it stands
///     station.gift = 0
///
/// A death before the commit leaves an object that the owner holds without knowing, or not yet: recover_parcel() finds it.
template <typename Commit>
bool deliver(station& place, memory::seat owner, const memory::holding& object, Commit commit) {
    const memory::object_name name = object.name();
    place.gift.store(name);
    MULTIPROCESSING_STEP(parcel_named);
    object.give(owner);
    MULTIPROCESSING_STEP(parcel_given);
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
        static_cast<void>(memory::holding::receive(name)); // and let go at once
    } catch (const std::exception&) {
        // It wasn't given yet, and died with its worker; or it was received, used and dropped already.
    }
}

} // namespace multiprocessing::pool
