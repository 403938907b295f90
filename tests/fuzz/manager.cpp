// Frames of a manager's calls from bytes that anybody may have made, and what a server does with those that are requests. Nothing may
// crash, and nothing be thrown but errors that say so; no method is called with arguments of other types than its own.
//
//     clang++ -std=c++20 -Iinclude -Itests -DFMT_HEADER_ONLY -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz/manager.cpp
//     ./a.out -max_total_time=600 -max_len=512 corpus

#include <multiprocessing/manager/registry.hpp>
#include <multiprocessing/manager/server_core.hpp>
#include <multiprocessing/manager/server_sockets.hpp>
#include <multiprocessing/manager/transport_network.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace mp = multiprocessing;
namespace manager = multiprocessing::manager;
namespace serial = multiprocessing::serial;

namespace {

struct shelf {
    shelf() = default;
    explicit shelf(std::size_t n) : items(n % 1000) {}
    shelf(const std::string& item, int n) : items(static_cast<std::size_t>(n & 0xff), item) {}
    void put(std::string item) {
        if (items.size() < 1000) items.push_back(std::move(item));
    }
    std::size_t size() const { return items.size(); }
    std::vector<std::string> all(const std::map<int, std::vector<std::string>>& more) const {
        std::vector<std::string> both = items;
        for (const auto& [key, each] : more) both.insert(both.end(), each.begin(), each.end());
        return both;
    }
    std::vector<std::string> items;
};

struct somebody final : manager::caller {
    somebody() : caller(7, 1, 1, true) {}
    [[nodiscard]] bool is_there() const override { return true; }
};

void serve(std::span<const std::byte> bytes) {
    auto types = std::make_shared<manager::registry>();
    manager::registration<shelf> its(*types, "s");
    types->do_and_keep(&manager::detail::add_type<shelf>, std::string("s"));
    its.method<&shelf::put>("p").method<&shelf::size>("n").method<&shelf::all>("a");
    static const manager::desk where = manager::desk::make(1, "a server");
    const auto core = std::make_shared<manager::server_core>(types, where);
    const mp::manager::remote one = core->add(manager::make_servant(*types->find("s"), manager::parts::pack(), somebody()), "s");
    core->client_came(7);
    const manager::for_the_network medium;
    serial::message arguments;
    // Several requests, each with its length before it.
    serial::reader all(bytes);
    while (all.left() > 0) {
        const std::size_t told = all.number<std::uint8_t>();
        const std::size_t size = told < all.left() ? told : all.left();
        const std::span<const std::byte> frame(all.run(size), size);
        const manager::grants granted(*core);
        try {
            serial::reader in(frame, "call");
            const manager::request asked = manager::read_request(in, arguments);
            const serial::message result = core->call(asked.object % 3, asked.method, arguments, somebody());
            serial::writer out;
            manager::write_answer(out, result);
        } catch (const mp::ProcessError&) {
        } catch (const mp::ValueError&) {
        } catch (const mp::TypeError&) {
        }
    }
    core->client_left(7, true);
    if (core->count() == 0) {
        std::fprintf(stderr, "an object is gone that somebody else refers to\n");
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    try {
        serial::message message;
        serial::reader in(bytes, "a frame");
        switch (data[0] % 6) {
        case 0: serve(bytes); break;
        case 1: static_cast<void>(manager::read_request(in, message)); break;
        case 2: static_cast<void>(manager::read_answer(in)); break;
        case 3: static_cast<void>(manager::read_greeting(bytes)); break;
        case 4: {
            message.bytes.assign(bytes.begin(), bytes.end());
            const manager::parts given(message);
            static_cast<void>(given.describe());
            if (given.are<int, std::string>()) static_cast<void>(given.take_all<int, std::string>());
            break;
        }
        default:
            message.bytes.assign(bytes.begin(), bytes.end());
            static_cast<void>(manager::unpack_arguments<int, std::string>(message));
        }
    } catch (const mp::ProcessError&) {
    } catch (const mp::TypeError&) {
    } catch (const mp::RemoteError&) { // of an answer that is a failure
    }
    return 0;
}
