// What somebody who doesn't know the key sends instead of CPython's challenge and its answers. Nothing may crash, throw anything but
// AuthenticationError, or take him for somebody who knows it; and what is sent to him is short.
//
//     clang++ -std=c++20 -Iinclude -Itests -DFMT_HEADER_ONLY -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz/challenge.cpp -ldl
//     ./a.out -max_total_time=600 -max_len=600 corpus

#include <multiprocessing/net/challenge.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

namespace mp = multiprocessing;
using mp::net::handshake;

namespace {

[[noreturn]] void complain(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

} // namespace

/// The first byte says who speaks; then come messages, each after a byte that says how long it is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    const auto key = std::as_bytes(std::span("a key that nobody knows"));
    constexpr auto deliver = handshake::part::deliver;
    handshake mine = data[0] % 4 == 0   ? handshake::of_listener(key)
                     : data[0] % 4 == 1 ? handshake::of_client(key)
                     : data[0] % 4 == 2 ? handshake(key, {deliver}, "")
                                        : handshake(key, {deliver}, "md5");
    const bool must_prove = data[0] % 4 != 1;
    try {
        for (bool is_first = true; !mine.is_done(); is_first = false) {
            if (const auto message = mine.outgoing(); message && message->size() > mp::net::longest_answer) complain("a long message");
            if (bytes.empty()) return 0;
            const std::size_t n = std::min<std::size_t>(std::to_integer<std::size_t>(bytes[0]), bytes.size() - 1);
            mine.take(bytes.subspan(1, n));
            bytes = bytes.subspan(1 + n);
            if (is_first && must_prove) complain("a digest that nobody can have made");
        }
        complain("somebody without the key is taken for one who has it"); // a client, too, wants a digest at last
    } catch (const mp::AuthenticationError&) {
        if (const auto message = mine.outgoing(); message && message->size() != 9) complain("more than a failure");
    }
    return 0;
}
