// Floor 5, serial/types/action: what a Barrier calls.
#pragma once

#include <cstddef>
#include <cstdint>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/serial/codec.hpp>
#include <multiprocessing/serial/place.hpp>
#include <multiprocessing/sync/action.hpp>

namespace multiprocessing::serial {

/// Taken only from a message that shared objects came with, as they do beside a Barrier: what comes over a network can't say
/// what is to be called.
template <>
struct codec<sync::action> {
    enum class kind : std::uint8_t { nothing, function, other };

    static void write(writer& out, const sync::action& x) {
        if (!x) return out.number(kind::nothing);
        if (const auto* const function = x.call_.target<void (*)()>()) {
            out.number(kind::function);
            return detail::write_pointer(out, *function);
        }
        if (x.send_ == nullptr)
            throw NotPortableError("a Barrier's action can't be sent to a process that isn't a copy of this one, unless it is a "
                                   "function, a captureless lambda, or mp::bind(f, args...): start the process by fork, or give "
                                   "it one of those");
        out.number(kind::other);
        x.send_(out, x.call_);
    }
    static sync::action make(reader& in) {
        const auto what = in.number<kind>();
        if (what == kind::nothing) return {};
        if (!in.has_shares() || what > kind::other) in.fail("no action of a Barrier");
        if (what == kind::function) return detail::read_pointer<void (*)()>(in);
        return serial::read_entry<sync::action(reader&)>(in)(in);
    }
};

} // namespace multiprocessing::serial
