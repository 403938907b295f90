// Floor 6, channel/parcel: a message in a block of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <span>
#include <utility> // std::exchange
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/pages.hpp>

namespace multiprocessing::channel {

/// Blocks that a ring keeps for its next large messages: their pages are there already, and a fresh page costs more than
/// copying it twice. Names of objects in the state spare_of(ring); a name that isn't one any more does no harm.
struct spares {
    static constexpr std::size_t count = 16;
    static constexpr std::uint64_t most_bytes = std::uint64_t{32} << 20; ///< altogether

    std::atomic<memory::object_name> names[count];
};

/// A message that is written straight into a block of shared memory, which no other process knows until it is sent; or that was
/// received and belongs to this process alone again.
///
/// - When this process dies, the block is freed with what else it had made.
/// - Errors: std::bad_alloc.
class parcel {
public:
    parcel() noexcept = default;
    /// Room for so many bytes and shares, to be sent by the ring that is `keeper`.
    parcel(std::uint64_t bytes, std::size_t shares, memory::object_id keeper, spares& from);
    parcel(parcel&& other) noexcept { *this = std::move(other); }
    parcel& operator=(parcel&& other) noexcept {
        std::swap(id_, other.id_);
        std::swap(size_, other.size_);
        std::swap(shares_, other.shares_);
        return *this;
    }
    ~parcel() {
        if (*this) memory::family::here().discard(id_);
    }

    [[nodiscard]] explicit operator bool() const noexcept { return id_ != memory::no_object; }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data(), static_cast<std::size_t>(size_)}; }
    [[nodiscard]] std::uint32_t shares() const noexcept { return shares_; }

    /// What the message names. All of it, once; the message holds it from then on.
    void enclose(std::span<const memory::holding> objects);
    /// The same at the other end: this process holds it.
    [[nodiscard]] std::vector<memory::holding> enclosed() const;

    /// For the ring.
    [[nodiscard]] memory::object_name name() const noexcept { return memory::family::here().name_of(id_); }
    void release() noexcept { id_ = memory::no_object; }
    /// Takes it back; nothing if it isn't the keeper's.
    [[nodiscard]] static parcel adopt(memory::object_name name, memory::object_id keeper, std::uint64_t bytes,
                                      std::uint32_t shares) noexcept;
    [[nodiscard]] static parcel adopt_spare(memory::object_name name, memory::object_id keeper) noexcept {
        parcel taken;
        taken.id_ = memory::family::here().adopt(name, keeper, true);
        return taken;
    }
    /// Its memory is used again by the next parcel.
    void make_spare(memory::object_id keeper, spares& to) noexcept;

private:
    [[nodiscard]] std::byte* data() const noexcept {
        return static_cast<std::byte*>(memory::family::here().payload(id_));
    }
    [[nodiscard]] static std::uint64_t room_for(std::uint64_t bytes, std::size_t shares) noexcept {
        return (bytes + 3) / 4 * 4 + shares * sizeof(memory::pins::index);
    }

    memory::object_id id_ = memory::no_object;
    std::uint64_t size_ = 0;
    std::uint32_t shares_ = 0;
};

inline parcel::parcel(std::uint64_t bytes, std::size_t shares, memory::object_id keeper, spares& from)
    : size_(bytes), shares_(static_cast<std::uint32_t>(shares)) {
    auto& family = memory::family::here();
    const std::uint64_t needed = room_for(bytes, shares);
    for (auto& place : from.names) {
        memory::object_name name = place.load(std::memory_order_acquire);
        if (name == 0) continue;
        const auto id = static_cast<memory::object_id>(name) - 1;
        const std::uint64_t room = family.room_of(id);
        if (room < needed || room / 4 > needed) continue;
        id_ = family.adopt(name, keeper, true);
        place.compare_exchange_strong(name, 0); // also when it was stale
        MULTIPROCESSING_STEP(spare_taken);
        if (*this) return;
    }
    id_ = family.make_unheld(needed == 0 ? 1 : needed);
}

inline void parcel::enclose(std::span<const memory::holding> objects) {
    auto* const list = data() + (size_ + 3) / 4 * 4;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        const auto which = memory::family::here().pin(objects[i].id(), id_);
        std::memcpy(list + i * sizeof which, &which, sizeof which);
    }
}

inline std::vector<memory::holding> parcel::enclosed() const {
    std::vector<memory::holding> objects;
    const auto* const list = data() + (size_ + 3) / 4 * 4;
    for (std::size_t i = 0; i < shares_; ++i) {
        memory::pins::index which = 0;
        std::memcpy(&which, list + i * sizeof which, sizeof which);
        objects.push_back(memory::holding::receive(which, id_));
    }
    return objects;
}

inline parcel parcel::adopt(memory::object_name name, memory::object_id keeper, std::uint64_t bytes,
                            std::uint32_t shares) noexcept {
    auto& family = memory::family::here();
    parcel taken;
    taken.id_ = family.adopt(name, keeper);
    if (!taken) return taken;
    taken.size_ = bytes;
    taken.shares_ = shares;
    if (room_for(bytes, shares) <= family.room_of(taken.id_)) return taken;
    return {}; // somebody scribbled on the cell
}

inline void parcel::make_spare(memory::object_id keeper, spares& to) noexcept {
    if (!*this || shares_ != 0) return;
    auto& family = memory::family::here();
    std::uint64_t bytes = room_for(size_, 0); // of its block only so much has pages
    std::atomic<memory::object_name>* empty = nullptr;
    for (auto& place : to.names) {
        const memory::object_name name = place.load(std::memory_order_acquire);
        if (name == 0)
            empty = empty == nullptr ? &place : empty;
        else
            bytes += family.room_of(static_cast<memory::object_id>(name) - 1);
    }
    memory::object_name none = 0;
    if (empty == nullptr || bytes > spares::most_bytes || !empty->compare_exchange_strong(none, name())) {
        // More than the next messages need: a burst. The heap itself gives back the pages of larger blocks alone.
        constexpr std::uint64_t page = 4096;
        if (size_ >= 2 * page && memory::commons::here().offset_of(data()) % page == 0)
            static_cast<void>(os::give_back(data(), static_cast<std::size_t>((size_ + page - 1) / page * page)));
        return;
    }
    MULTIPROCESSING_STEP(spare_named);
    family.keep(std::exchange(id_, memory::no_object), keeper, true);
}

} // namespace multiprocessing::channel
