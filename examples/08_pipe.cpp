// A pipe between two processes, and its end.
//
// Prints 08_pipe.out.
#include <string>

#include <fmt/format.h>
#include <multiprocessing/connection.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/serialization.hpp>

namespace mp = multiprocessing;

void f(mp::Connection conn) {
    conn.send(mp::Object{42, nullptr, "hello"});
}

void send_all(mp::Connection conn) {
    for (const char* message : {"Message 1", "Message 2", "Message 3"}) conn.send(std::string(message));
    conn.close();
}

int main() {
    auto [parent_conn, child_conn] = mp::Pipe();
    mp::Process p(f, child_conn);
    p.start();
    fmt::print("{}\n", parent_conn.recv()); // [42, None, 'hello']
    p.join();

    auto [receiver, sender] = mp::Pipe(false);
    mp::Process sending(send_all, sender);
    sending.start();
    sender.close(); // the other end is the child's alone from now on, so that its end is the end
    try {
        for (;;) fmt::print("Received: {}\n", receiver.recv<std::string>());
    } catch (const mp::EOFError&) {
        fmt::print("that was all\n");
    }
    sending.join();
}
