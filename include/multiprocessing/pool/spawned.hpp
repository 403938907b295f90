// Floor 9, pool/spawned: starting a worker that is no copy of its owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility> // std::move
#include <vector>

#include <multiprocessing/memory/handle.hpp>
#include <multiprocessing/os/poll.hpp>
#include <multiprocessing/pool/board.hpp>
#include <multiprocessing/pool/trace.hpp>
#include <multiprocessing/pool/worker.hpp>
#include <multiprocessing/process/bootstrap.hpp>
#include <multiprocessing/process/forkserver.hpp>
#include <multiprocessing/process/launch.hpp>
#include <multiprocessing/process/passport.hpp>
#include <multiprocessing/process/running.hpp>
#include <multiprocessing/process/spawn.hpp>
#include <multiprocessing/process/start_method.hpp>
#include <multiprocessing/serial/archive.hpp>
#include <multiprocessing/serial/callable.hpp>
#include <multiprocessing/serial/place.hpp>

namespace multiprocessing::pool {

/// A duty as it travels.
struct travelling_duty {
    memory::handle<std::byte[]> board;
    unsigned stations = 0;
    unsigned w = 0;
    unsigned party = 0;
    std::uint64_t items = 0;
    std::uint32_t owner_slot = 0;
    std::uint32_t owner_generation = 0;
    std::vector<std::byte> initializer; ///< a packed call; empty: there is none
    std::vector<memory::handle<std::byte[]>> initializer_shares;
    memory::handle<track[]> tracks;
};

/// What such a worker runs.
inline void work_as_told(travelling_duty told) {
    const duty given{board(std::move(told.board), told.stations), told.w, told.party, told.items,
                     memory::seat{told.owner_slot, told.owner_generation}, std::move(told.tracks)};
    const serial::may_load libraries; // that its owner's functions are in
    os::doorbell bell(std::move(process::handed_descriptors()));
    const int code = begin_work(given, bell, [&] {
        if (told.initializer.empty()) return;
        serial::run_call({std::move(told.initializer), {told.initializer_shares.begin(), told.initializer_shares.end()}});
    });
    process::leave(code);
}

/// Starts one by spawn or forkserver.
inline process::running start_by(StartMethod method, process::launch how, const duty& given, const serial::message& initializer,
                                 const os::doorbell& bell) {
    travelling_duty told{.board = given.all.memory(),
                         .stations = given.all.workers(),
                         .w = given.w,
                         .party = given.party,
                         .items = given.items,
                         .owner_slot = given.owner.slot,
                         .owner_generation = given.owner.generation,
                         .initializer = initializer.bytes,
                         .initializer_shares = {},
                         .tracks = given.tracks};
    for (const memory::holding& share : initializer.shares) told.initializer_shares.emplace_back(share);
    const serial::message call = serial::pack_call(&work_as_told, told);
    return method == StartMethod::spawn ? process::start_by_spawn(std::move(how), call, bell.descriptors())
                                        : process::start_by_forkserver(std::move(how), call, bell.descriptors());
}

} // namespace multiprocessing::pool
