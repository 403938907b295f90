// Calls from bytes that anybody may have made: whom they name, and what goes along. Nothing is called here; nothing may crash, be
// loaded, or throw anything but the errors that say so, and no function is found but those that the program itself sends.
//
//     clang++ -std=c++20 -Iinclude -Itests -DFMT_HEADER_ONLY -g -O1 -fsanitize=fuzzer,address,undefined tests/fuzz/callable.cpp
//     ./a.out -max_total_time=600 -max_len=512 corpus

#include <multiprocessing/serialization.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace mp = multiprocessing;
namespace os = multiprocessing::os;
namespace serial = multiprocessing::serial;

namespace {

struct shape {
    int size = 1;
    virtual ~shape() = default;
    virtual int area() { return size; }
    void grow() { ++size; }
};
[[maybe_unused]] int twice(int n) { return 2 * n; } // clang doesn't see that a type is asked of it
void run(serial::reader&) {}
void other(serial::reader&) {}

[[noreturn]] void complain(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

void try_entry(std::span<const std::byte> bytes) {
    serial::reader in(bytes);
    const auto found = serial::read_entry<void(serial::reader&)>(in);
    if (found != &run && found != &other) complain("a function that nobody sends");
}

/// An entry of this build, wherever the bytes say.
void try_place(std::span<const std::byte> bytes) {
    static const auto entry = os::locate_constant(&serial::detail::entry_of<&run>, sizeof(serial::detail::entry_of<&run>));
    if (!entry || bytes.size() < 2) return;
    std::int16_t distance = 0;
    std::memcpy(&distance, bytes.data(), sizeof distance);
    serial::writer out;
    serial::write(out, entry->build_id);
    serial::write(out, entry->path);
    out.number(entry->offset + static_cast<std::uint64_t>(std::int64_t{distance}));
    if (bytes.size() > 2) out.bytes(bytes.data() + 2, bytes.size() - 2);
    else out.number(serial::detail::entry_of<&run>.head.function_name);
    const auto made = std::move(out).take();
    try_entry(made);
}

template <typename T>
void try_portable(std::span<const std::byte> bytes) {
    serial::reader in(bytes);
    static_cast<void>(serial::take_portable<T>(in));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    static const bool is_sent = [] { // so that there are entries
        serial::writer out;
        serial::write_entry<&run>(out);
        serial::write_entry<&other>(out);
        return true;
    }();
    if (!is_sent) return 0;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    try {
        switch (data[0]) {
        case 0: try_entry(bytes); break;
        case 1: try_place(bytes); break;
        case 2: try_portable<int (*)(int)>(bytes); break;
        case 3: try_portable<int (shape::*)()>(bytes); break;
        case 4: try_portable<int shape::*>(bytes); break;
        case 5: try_portable<const char*>(bytes); break;
        case 6: try_portable<decltype(mp::bind(&twice, 1))>(bytes); break;
        case 7: try_portable<decltype(mp::bind([](int a, int b) { return a + b; }, std::vector<std::string>()))>(bytes); break;
        default: break;
        }
    } catch (const mp::ProcessError&) {
    }
    return 0;
}
