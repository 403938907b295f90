// Every type that travels, from bytes that anybody may have made. The first byte chooses the type; the others are the message.
// Nothing may crash, take memory out of proportion, or throw anything but the errors that say so; and what is taken for a value
// is one: packed again, it is the same message as often as one likes.
//
//     cmake -D CONFIGURATION=fuzz -P cmake/check.cmake             # a minute of libFuzzer, with the other parsers
//     clang++ -std=c++20 -Iinclude -Itests -DFMT_HEADER_ONLY -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz/serial.cpp
//     ./a.out -max_total_time=600 -max_len=4096 corpus

#include <multiprocessing/serialization.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <span>

#include <cereal/cereal.hpp>

#include "../serial/samples.hpp"

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

/// A user's type that believes its counts, as cereal's own do.
struct trusting {
    std::vector<std::uint64_t> numbers;
    std::string raw;
    template <typename Archive>
    void save(Archive& ar) const {
        ar(cereal::make_size_tag(numbers.size()));
        for (const auto each : numbers) ar(each);
        ar(cereal::make_size_tag(raw.size()), cereal::binary_data(raw.data(), raw.size()));
    }
    template <typename Archive>
    void load(Archive& ar) {
        std::size_t n = 0;
        ar(cereal::make_size_tag(n));
        numbers.resize(n);
        for (auto& each : numbers) ar(each);
        ar(cereal::make_size_tag(n));
        raw.resize(n);
        ar(cereal::binary_data(raw.data(), n));
    }
    bool operator==(const trusting&) const = default;
};

struct shared_node {
    std::shared_ptr<shared_node> left, right;
    std::shared_ptr<std::string> name;
    std::vector<std::shared_ptr<shared_node>> more;
};

[[noreturn]] void complain(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

template <typename T>
void try_as(std::span<const std::byte> bytes) {
    const std::size_t before = allocated;
    std::vector<std::byte> again;
    try {
        const T value = serial::unpack<T>(bytes);
        if (allocated - before > 8192 + 256 * bytes.size()) complain("memory out of proportion to the bytes");
        again = serial::pack(value);
    } catch (const mp::ProcessError&) {
        if (allocated - before > 8192 + 256 * bytes.size()) complain("memory out of proportion to the bytes, for an error");
        return;
    }
    if (again.size() != serial::packed_size(serial::unpack<T>(again))) complain("a value that isn't the same twice");
}

template <typename T>
void try_tagged(std::span<const std::byte> bytes) {
    try {
        static_cast<void>(serial::unpack_tagged<T>(bytes));
    } catch (const mp::ProcessError&) {
    } catch (const mp::TypeError&) {
    }
}

void try_exception(std::span<const std::byte> bytes) {
    try {
        const auto it = serial::unpack<serial::thrown>(bytes);
        try {
            serial::rethrow(it);
        } catch (const mp::RemoteError& e) {
            if (e.message() != it.message) complain("an exception with another message");
        }
    } catch (const mp::ProcessError&) {
    }
}

/// Calls try_as<T> for the T of that number; the numbers after the last are for those that are tried in their own way.
template <typename... T>
void dispatch(std::size_t number, std::span<const std::byte> bytes, testing::type_list<T...>) {
    std::size_t at = 0;
    static_cast<void>(((number == at++ ? (try_as<T>(bytes), true) : false) || ...));
    if (number == at++) try_as<trusting>(bytes);
    if (number == at++) try_as<std::vector<trusting>>(bytes);
    if (number == at++) try_as<shared_node>(bytes);
    if (number == at++) try_as<serial::thrown>(bytes);
    if (number == at++) try_exception(bytes);
    if (number == at++) try_tagged<std::vector<testing::page>>(bytes);
    if (number == at++) try_tagged<int>(bytes);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data, size));
    dispatch(data[0], bytes.subspan(1), testing::sample_types());
    return 0;
}
