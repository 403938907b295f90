// Floor 10, manager/kept_references: references to a server's objects in the bytes that its containers hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring> // std::memcpy
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/server_core.hpp>
#include <multiprocessing/memory/handle.hpp>

namespace multiprocessing::manager {

// A container in a server knows no types, so what a client puts into it is searched for references to the server's own objects:
// for the 64 random bits that are the server's number, behind a way and before an address and an object's number (write_address()).
// Whatever has these has got them from such a reference. A token (server_core.hpp) for each stands beside the bytes, as a share; so
// the object lives as long as the bytes stand there, whoever takes them away, and however he dies.
//
// What goes to a client is searched again: each reference is counted for it and written as `granted`, as in a typed answer, before
// the container's own share can go.

/// f(way, object's number) for each.
template <typename F>
void for_each_reference(std::span<std::byte> bytes, std::uint64_t server_id, F f) {
    char id[sizeof server_id];
    std::memcpy(id, &server_id, sizeof id);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto number_at = [&](std::size_t at) {
        std::uint64_t number = 0;
        std::memcpy(&number, bytes.data() + at, sizeof number);
        return number;
    };
    for (std::size_t at = 1; (at = text.find(std::string_view(id, sizeof id), at)) != text.npos; ++at) {
        std::byte& by = bytes[at - 1];
        if (static_cast<way>(by) != way::address && static_cast<way>(by) != way::granted) continue;
        const std::size_t left = bytes.size() - at - sizeof id;
        if (left < 16) return;
        const std::uint64_t address = number_at(at + sizeof id); // its size
        if (address != 0 && address <= left - 16) f(by, number_at(at + sizeof id + 8 + static_cast<std::size_t>(address)));
    }
}

/// Tokens for those that there are; all are written as addresses.
[[nodiscard]] inline std::vector<memory::holding> keep_references(server_core& core, std::span<std::byte> bytes) {
    std::vector<memory::holding> kept;
    for_each_reference(bytes, core.id(), [&](std::byte& by, std::uint64_t number) {
        by = static_cast<std::byte>(way::address);
        try {
            kept.push_back(core.make_token(number));
        } catch (const ValueError&) {
            // it is gone, as whoever asks for it will be told
        }
    });
    if (!kept.empty()) core.keeps();
    return kept;
}

/// False: there are none.
[[nodiscard]] inline bool hand_over_references(const server_core& core, grants& granted, std::span<std::byte> bytes) {
    bool is = false;
    for_each_reference(bytes, core.id(), [&](std::byte& by, std::uint64_t number) {
        is = true;
        if (granted.add(number)) by = static_cast<std::byte>(way::granted);
    });
    return is;
}

} // namespace multiprocessing::manager
