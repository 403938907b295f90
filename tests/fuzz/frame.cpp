// A stream of bytes that anybody may have sent, in pieces of any size, as frames. Nothing may crash, and no memory may be taken out
// of proportion to what has come; frames are the same however the bytes were cut; and what is sent again comes out the same.
//
//     clang++ -std=c++20 -Iinclude -Itests -DFMT_HEADER_ONLY -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz/frame.cpp
//     ./a.out -max_total_time=600 -max_len=4096 corpus

#include <multiprocessing/channel/frame.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <vector>

namespace mp = multiprocessing;
using mp::channel::frame_reader;

namespace {

std::size_t allocated = 0;

void* allocate(std::size_t n) {
    allocated += n;
    return std::malloc(n != 0 ? n : 1);
}

} // namespace

[[gnu::noinline]] void* operator new(std::size_t n) {
    if (void* memory = allocate(n)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return allocate(n); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace {

[[noreturn]] void complain(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

using frames = std::vector<std::vector<std::byte>>;

/// The frames in these bytes, which come `at_once` together at most; `is_good`: nothing but frames, the last one perhaps in part.
frames parse(std::span<const std::byte> bytes, std::size_t at_once, bool& is_good) {
    frames found;
    frame_reader in;
    is_good = true;
    try {
        for (;;) {
            const auto room = in.room();
            if (room.empty()) {
                if (!in.is_whole()) complain("no room, and not whole");
                found.push_back(in.take());
                continue;
            }
            const std::size_t n = std::min({room.size(), bytes.size(), at_once});
            if (n == 0) return found;
            std::memcpy(room.data(), bytes.data(), n);
            in.arrived(n);
            bytes = bytes.subspan(n);
        }
    } catch (const mp::ProcessError&) {
        is_good = false;
    }
    return found;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    bool is_good = true, is_good_too = true;
    const std::size_t before = allocated;
    const auto found = parse(bytes, 1000, is_good);
    // Each frame of at least one byte may cost 64 KiB while it isn't whole.
    if (allocated - before > (128 << 10) + size * 64 + found.size() * (64 << 10)) complain("memory out of proportion to the bytes");
    if (parse(bytes, 1, is_good_too) != found || is_good != is_good_too) complain("frames depend on how the bytes are cut");

    std::vector<std::byte> again;
    for (const auto& frame : found) {
        const mp::channel::frame_header header(frame.size());
        again.insert(again.end(), header.bytes().begin(), header.bytes().end());
        again.insert(again.end(), frame.begin(), frame.end());
    }
    if (parse(again, 1000, is_good) != found || !is_good) complain("frames that aren't the same twice");
    return 0;
}
