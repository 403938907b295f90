// Floor 9, pool/shares: items and results that have shared objects in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <span>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/pool/parcel.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::pool {

// What is packed names the objects that are in it; the shares travel beside it. To a worker: the caller holds them until
// the call is over, so the worker, whichever it is, takes a share of its own by name; if it is killed, that share is
// buried with it. To the caller: the worker gives them, as it does every parcel (parcel.hpp).

/// A share of an object that somebody holds as long as this call lasts.
[[nodiscard]] inline memory::holding take_share(memory::object_name name) {
    auto& all = memory::family::here();
    const memory::records records(memory::commons::here());
    for (;;) {
        const memory::object_id id = records.find(name);
        if (id == memory::no_object) throw ProcessError(fmt::format("the shared object {:#x} is gone", name));
        all.give(id, all.self());
        try {
            return memory::holding::receive(name);
        } catch (const ProcessError&) {
            // Another thread has let go of its last handle in between, and of this share with it.
        }
    }
}

/// serial::pack_into(), with the shares beside it.
template <typename T>
[[nodiscard]] std::size_t pack_sharing(std::span<std::byte> place, const T& x, std::vector<memory::holding>& shares) {
    shares.clear();
    serial::writer out(place);
    out.carry(shares);
    serial::write(out, x);
    out.finish();
    return out.size();
}

template <typename T>
[[nodiscard]] T unpack_sharing(std::span<const std::byte> bytes, std::span<const memory::holding> shares) {
    serial::reader in(bytes, serial::type_name<T>());
    in.claim_from(shares);
    T x = serial::take<T>(in);
    in.finish();
    return x;
}

/// Behind how many names an item begins, and they themselves.
[[nodiscard]] inline std::size_t size_of_names(std::size_t names) noexcept { return sizeof(std::uint64_t) * (1 + names); }
inline void write_names(std::byte* to, std::span<const memory::holding> shares) noexcept {
    const std::uint64_t n = shares.size();
    std::memcpy(to, &n, sizeof n);
    for (std::uint64_t i = 0; i < n; ++i) {
        const memory::object_name name = shares[i].name();
        std::memcpy(to + sizeof n * (1 + i), &name, sizeof name);
    }
}

/// In a worker: an item that begins with the names of its shares.
template <typename T>
[[nodiscard]] T unpack_with_shares(std::span<const std::byte> bytes) {
    std::uint64_t n = 0;
    if (bytes.size() < sizeof n) throw ProcessError("an item ends before the names of its shared objects");
    std::memcpy(&n, bytes.data(), sizeof n);
    if (n > bytes.size() / sizeof n - 1) throw ProcessError("an item ends inside the names of its shared objects");
    std::vector<memory::holding> shares;
    for (std::uint64_t i = 0; i < n; ++i) {
        memory::object_name name = 0;
        std::memcpy(&name, bytes.data() + sizeof n * (1 + i), sizeof name);
        shares.push_back(name == 0 ? memory::holding() : take_share(name));
    }
    return unpack_sharing<T>(bytes.subspan(size_of_names(n)), shares);
}

/// In a worker: a result as an object of its own, whose shares are to be delivered with it.
template <typename R>
[[nodiscard]] memory::holding pack_parcel(const R& value, std::vector<memory::holding>& shares) {
    const std::size_t size = pack_sharing({}, value, shares);
    const memory::holding parcel = memory::holding::make(sizeof(parcel_head) + sizeof(memory::object_name) * shares.size() + size);
    auto* head = ::new (parcel.payload()) parcel_head{shares.size(), size};
    for (std::size_t i = 0; i < shares.size(); ++i) head->first_name()[i] = shares[i].name();
    if (pack_sharing(std::span(head->bytes(), size), value, shares) != size || shares.size() != head->names)
        throw ValueError("a result isn't packed the same way twice: its save() must depend on its value alone");
    parcel.publish();
    return parcel;
}

/// In the owner: what pack_parcel() made, which it holds.
template <typename R>
[[nodiscard]] R unpack_parcel(const memory::holding& parcel) {
    auto* head = static_cast<parcel_head*>(parcel.payload());
    const std::uint64_t room = parcel.size() - sizeof *head;
    if (parcel.size() < sizeof *head || head->names > room / sizeof(memory::object_name) ||
        head->size > room - head->names * sizeof(memory::object_name))
        throw ProcessError("a worker's parcel is shorter than it says");
    const auto shares = shares_named_in(parcel);
    return unpack_sharing<R>(std::span<const std::byte>(head->bytes(), head->size), shares);
}

} // namespace multiprocessing::pool
