// Floor 6, channel/pipe: Pipe(): two Connections that are each other's other end.
#pragma once

#include <cstddef> // offsetof
#include <cstdint>
#include <utility>

#include <multiprocessing/channel/connection.hpp>
#include <multiprocessing/channel/link.hpp>
#include <multiprocessing/channel/post.hpp>
#include <multiprocessing/channel/ring.hpp>

namespace multiprocessing {

/// A pipe. Both ends send and receive; or, if it isn't duplex, the first one receives what the second one sends.
///
///     auto [receiver, sender] = mp::Pipe(false);
///
/// - Python: `multiprocessing.Pipe`.
/// - Errors: std::bad_alloc.
[[nodiscard]] inline std::pair<Connection, Connection> Pipe(bool duplex = true) {
    constexpr std::uint64_t on_their_way = 1024;
    Connection first(memory::nothing), second(memory::nothing);
    first.end_ = memory::handle<channel::end_state>::create();
    second.end_ = memory::handle<channel::end_state>::create();
    first.link_ = memory::handle<channel::link_state>::create();
    memory::family::here().has_bells(first.link_.id(), offsetof(channel::link_state, polling), 0, 2);
    first.link_->ends = {first.end_.name(), second.end_.name()};
    second.link_ = first.link_;
    second.side_.number = 1;
    first.in_ = second.out_ = channel::ring(channel::typical_message, on_their_way);
    if (duplex) first.out_ = second.in_ = channel::ring(channel::typical_message, on_their_way);
    return {std::move(first), std::move(second)};
}

} // namespace multiprocessing
