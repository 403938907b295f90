// A manager that other programs, and other machines, reach by an address and a key. Here one program plays both parts; each
// would be a program of its own. Python: BaseManager, register, get_server, connect, SyncManager

#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/ranges.h>
#include <multiprocessing/managers.hpp>
#include <multiprocessing/process.hpp>

namespace mp = multiprocessing;

class Guestbook {
public:
    std::size_t sign(const std::string& name) {
        if (name.empty()) throw std::invalid_argument("a guest has a name");
        names_.push_back(name);
        return names_.size();
    }
    std::vector<std::string> names() const { return names_; }

private:
    std::vector<std::string> names_;
};

// What both parts know of it.
struct GuestManager : mp::BaseManager {
    explicit GuestManager(const std::string& address) : mp::BaseManager({.address = address, .authkey = "abracadabra"}) {
        register_type("guestbook", [] { return &the_book; }).method<&Guestbook::sign>("sign").method<&Guestbook::names>("names");
    }
    mp::Proxy<Guestbook> guestbook() const { return create<Guestbook>("guestbook"); }

private:
    static inline Guestbook the_book; // in the server
};

void client(const std::string& address) {
    GuestManager manager(address);
    manager.connect();
    const auto book = manager.guestbook();
    fmt::print("guest {}\n", book.call<&Guestbook::sign>("bob"));
    try {
        book.call<&Guestbook::sign>("");
    } catch (const std::invalid_argument& error) { // thrown over there
        fmt::print("refused: {}\n", error.what());
    }
}

// Two queues in the server: work for whoever connects, and what comes of it.
struct WorkManager : mp::BaseManager {
    explicit WorkManager(const std::string& address) : mp::BaseManager({.address = address, .authkey = "abracadabra"}) {
        register_type("get_tasks", [] { return the_tasks(); });
        register_type("get_answers", [] { return the_answers(); });
    }
    mp::QueueProxy<std::string> tasks() const { return create<mp::Queue<std::string>>("get_tasks"); }
    mp::QueueProxy<std::size_t> answers() const { return create<mp::Queue<std::size_t>>("get_answers"); }

private:
    static mp::Queue<std::string>& the_tasks() {
        static mp::Queue<std::string> one; // where it is first asked for: in the server
        return one;
    }
    static mp::Queue<std::size_t>& the_answers() {
        static mp::Queue<std::size_t> one;
        return one;
    }
};

void worker(const std::string& address) {
    WorkManager manager(address);
    manager.connect();
    const auto tasks = manager.tasks();
    const auto answers = manager.answers();
    for (std::string task = tasks.get(); task != "enough"; task = tasks.get()) answers.put(task.size());
}

int main() {
    GuestManager server("localhost:0"); // port 0: any that is free
    server.start();                     // or server.get_server().serve_forever(), in this process
    server.guestbook().call<&Guestbook::sign>("alice");

    mp::Process other(client, server.address());
    other.start();
    other.join();

    fmt::print("{}\n", server.guestbook().call<&Guestbook::names>());

    mp::BaseManager stranger({.address = server.address(), .authkey = "open sesame"});
    try {
        stranger.connect();
    } catch (const mp::AuthenticationError&) {
        fmt::print("who doesn't know the key isn't served\n");
    }

    WorkManager work("localhost:0");
    work.start();
    mp::Process helper(worker, work.address()); // any number of them, anywhere
    helper.start();
    work.tasks().put_many({"a", "word", "a sentence", "enough"});
    for (int i = 0; i < 3; ++i) fmt::print("{} letters\n", work.answers().get());
    helper.join();
}
