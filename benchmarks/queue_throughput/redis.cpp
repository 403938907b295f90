// A Redis list over a Unix socket: RPUSH by producers, BLPOP by consumers, a connection each, by a server of our own that is
// started without its files.
#include "contender.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

std::string socket_path() { return "/tmp/queue_throughput-" + std::to_string(::getpid()) + ".redis"; }

int connect_to(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    std::strncpy(where.sun_path, path.c_str(), sizeof where.sun_path - 1);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) return fd;
    ::close(fd);
    return -1;
}

/// One for the whole run.
class server {
public:
    server() : path_(socket_path()) {
        pid_ = ::fork();
        if (pid_ == 0) {
            if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(127);
            ::execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path_.c_str(), "--save", "", "--appendonly", "no",
                     static_cast<char*>(nullptr));
            ::_exit(127);
        }
        for (int i = 0; i < 200 && !there_; ++i) {
            ::usleep(10'000);
            const int fd = connect_to(path_);
            there_ = fd >= 0;
            if (there_) ::close(fd);
            else if (::waitpid(pid_, nullptr, WNOHANG) == pid_) break; // there is no such program
        }
    }
    ~server() {
        if (!there_) return;
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
        ::unlink(path_.c_str());
    }
    [[nodiscard]] bool is_there() const { return there_; }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
    pid_t pid_ = -1;
    bool there_ = false;
};
server& here() {
    static server one;
    return one;
}

struct redis_line final : line {
    explicit redis_line(std::string where) : path(std::move(where)) { request("DEL", {}); }
    ~redis_line() override {
        if (fd >= 0) ::close(fd);
    }
    void send(const char* message, std::size_t size) override { request("RPUSH", std::string(message, size)); }
    void receive(char* message, std::size_t size) override {
        request("BLPOP", "0");
        std::memcpy(message, answer.data() + answer.size() - 2 - size, size);
    }

    // Each process has a connection of its own.
    void request(const char* what, const std::string& argument) {
        if (owner != ::getpid()) {
            owner = ::getpid();
            fd = connect_to(path);
            if (fd < 0) std::abort();
        }
        const auto bulk = [](const std::string& text) { return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n"; };
        std::string out = (argument.empty() ? "*2\r\n" : "*3\r\n") + bulk(what) + bulk("line");
        if (!argument.empty()) out += bulk(argument);
        for (std::size_t done = 0; done < out.size();) {
            const ssize_t n = ::write(fd, out.data() + done, out.size() - done);
            if (n <= 0) std::abort();
            done += static_cast<std::size_t>(n);
        }
        answer.clear();
        do {
            char part[65536];
            const ssize_t n = ::read(fd, part, sizeof part);
            if (n <= 0) std::abort();
            answer.append(part, static_cast<std::size_t>(n));
        } while (!is_whole());
    }
    // ":3\r\n", or "*2\r\n$4\r\nline\r\n$8\r\n........\r\n"
    [[nodiscard]] bool is_whole() const {
        if (answer.size() < 4) return false;
        if (answer[0] != '*') return answer.ends_with("\r\n");
        std::size_t at = answer.find('$', 5 + 4 + 4);
        const std::size_t end = at == std::string::npos ? at : answer.find("\r\n", at);
        return end != std::string::npos && answer.size() >= end + 2 + std::stoul(answer.substr(at + 1)) + 2;
    }

    std::string path;
    pid_t owner = -1;
    int fd = -1;
    std::string answer;
};

} // namespace

std::vector<contender> redis() {
    if (!here().is_there()) {
        std::printf("(no redis-server here)\n");
        return {};
    }
    return {{"Redis list", [](std::size_t) { return std::make_unique<redis_line>(here().path()); }, true, 20}};
}
