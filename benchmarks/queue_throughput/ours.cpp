// Queue with a bound, as the others have one: each put, and 64 at a time. A Connection.
#include "contender.hpp"

#include <array>
#include <cstring>
#include <span>

#include <multiprocessing/connection.hpp>
#include <multiprocessing/queues.hpp>

namespace mp = multiprocessing;

namespace {

template <std::size_t N>
struct fixed final : line {
    using item = std::array<char, N>;
    explicit fixed(bool batches) : many(batches) {}
    void send(const char* message, std::size_t) override {
        item x;
        std::memcpy(x.data(), message, N);
        q.put(x);
    }
    void receive(char* message, std::size_t) override {
        const item x = q.get();
        std::memcpy(message, x.data(), N);
    }
    void send_many(const char* message, std::size_t size, std::size_t n) override {
        if (!many) return line::send_many(message, size, n);
        batch.resize(n);
        q.put_many(batch);
    }
    void receive_many(char* message, std::size_t size, std::size_t n) override {
        if (!many) return line::receive_many(message, size, n);
        while (n != 0) n -= q.get_many(n).size();
    }
    mp::Queue<item> q{1000};
    std::vector<item> batch;
    bool many;
};

struct large final : line {
    void send(const char* message, std::size_t size) override {
        if (what.size() != size) what.assign(message, message + size);
        q.put(what);
    }
    void receive(char* message, std::size_t) override { message[0] = q.get().back(); }
    mp::Queue<std::vector<char>> q{16};
    std::vector<char> what;
};

struct connection final : line {
    void send(const char* message, std::size_t size) override {
        pipe.second.send_bytes(std::as_bytes(std::span(message, size)));
    }
    void receive(char* message, std::size_t size) override {
        pipe.first.recv_bytes_into(std::as_writable_bytes(std::span(message, size)));
    }
    std::pair<mp::Connection, mp::Connection> pipe = mp::Pipe(false);
};

std::unique_ptr<line> make(std::size_t size, bool many) {
    switch (size) {
    case 8: return std::make_unique<fixed<8>>(many);
    case 64: return std::make_unique<fixed<64>>(many);
    case 1024: return std::make_unique<fixed<1024>>(many);
    default: return many ? nullptr : std::make_unique<large>();
    }
}

} // namespace

std::vector<contender> ours() {
    return {{"ours, Queue", [](std::size_t size) { return make(size, false); }},
            {"ours, put_many and get_many", [](std::size_t size) { return make(size, true); }},
            {"ours, Pipe", [](std::size_t) { return std::make_unique<connection>(); }}};
}
