// Processes that meet at an address: on one machine or two, this library's or Python's.
//
// Prints 09_listener.out.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/connection.hpp>
#include <multiprocessing/process.hpp>

namespace mp = multiprocessing;
using mp::connection::Client;
using mp::connection::Listener;

// In Python: Client(address, authkey=b'secret password'), then conn.send_bytes(...) and conn.recv_bytes().
void client(const std::string& address) {
    mp::Connection conn = Client(address, {.authkey = "secret password"});
    conn.send_bytes(std::as_bytes(std::span(std::string_view("hello"))));
    std::vector<std::byte> answer = conn.recv_bytes();
    fmt::print("the answer has {} bytes\n", answer.size());
}

int main() {
    Listener listener({.address = "localhost:0", .authkey = "secret password"}); // any port that is free

    mp::Process p(client, listener.address());
    p.start();
    mp::Connection conn = listener.accept();
    conn.send_bytes(conn.recv_bytes());
    p.join();
    fmt::print("it came from {}\n", listener.last_accepted());

    mp::Process stranger([address = listener.address()] {
        try {
            static_cast<void>(Client(address, {.authkey = "guessed"}));
        } catch (const mp::AuthenticationError& error) {
            fmt::print("the client: {}\n", error.what());
        }
    });
    stranger.start();
    try {
        conn = listener.accept();
    } catch (const mp::AuthenticationError& error) {
        stranger.join();
        fmt::print("the listener: {}\n", error.what());
    }
}
