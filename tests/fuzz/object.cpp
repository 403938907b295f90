// mp::Object from bytes that anybody may have made, and what can be done with one then. Nothing may crash, take memory out of
// proportion, or throw anything but the errors that say so; and what is taken for a value is one: packed again it is the same.
//
//     clang++ -std=c++20 -Iinclude -Itests -DFMT_HEADER_ONLY -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz/object.cpp
//     ./a.out -max_total_time=600 -max_len=4096 corpus

#include <multiprocessing/serialization.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace mp = multiprocessing;
namespace serial = multiprocessing::serial;

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

/// What is refused is refused by one of these.
template <typename F>
void try_to(F f) {
    try {
        f();
    } catch (const mp::TypeError&) {
    } catch (const mp::ValueError&) {
    } catch (const std::out_of_range&) {
    }
}

void use(mp::Object x) {
    try_to([&] { static_cast<void>(x.as<std::vector<int>>()); });
    try_to([&] { static_cast<void>(x.as<std::map<std::string, double>>()); });
    try_to([&] { static_cast<void>(x.as<std::tuple<int, std::string>>()); });
    try_to([&] { static_cast<void>(x.as<mp::bytes>()); });
    try_to([&] { static_cast<void>(x.hash()); });
    try_to([&] { x.sort(); });
    try_to([&] { static_cast<void>(x < mp::Object({1, 2})); });
    try_to([&] {
        for (const mp::Object& key : x.keys()) {
            if (key == key && !x.contains(key)) complain("a key that isn't there"); // NaN isn't
            static_cast<void>(x.pop(key, nullptr));
        }
    });
    try_to([&] {
        while (!x.empty()) static_cast<void>(x.pop());
    });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    const std::size_t before = allocated;
    mp::Object value;
    try {
        value = serial::unpack<mp::Object>(bytes);
    } catch (const mp::ProcessError&) {
        if (allocated - before > 8192 + 256 * size) complain("memory out of proportion to the bytes, for an error");
        return 0;
    }
    if (allocated - before > 8192 + 256 * size) complain("memory out of proportion to the bytes");
    const auto again = serial::pack(value);
    const mp::Object other = serial::unpack<mp::Object>(again);
    if (serial::pack(other) != again || other.repr() != value.repr()) complain("a value that isn't the same twice");
    use(std::move(value));
    return 0;
}
