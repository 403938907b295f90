// A redis-server of the program's own, over a Unix socket and without files, and a connection to it for each process.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

class redis_server {
public:
    /// One for the whole run.
    static redis_server& here() {
        static redis_server one;
        return one;
    }
    redis_server(const redis_server&) = delete;
    redis_server& operator=(const redis_server&) = delete;
    ~redis_server() {
        if (!there_ || owner_ != ::getpid()) return;
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
        ::unlink(path_.c_str());
    }
    [[nodiscard]] bool is_there() const { return there_; }

    /// A socket, or -1.
    [[nodiscard]] int connect() const {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un where{};
        where.sun_family = AF_UNIX;
        std::strncpy(where.sun_path, path_.c_str(), sizeof where.sun_path - 1);
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) return fd;
        ::close(fd);
        return -1;
    }

private:
    redis_server() {
        pid_ = ::fork();
        if (pid_ == 0) {
            if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(127);
            ::execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path_.c_str(), "--save", "", "--appendonly", "no",
                     static_cast<char*>(nullptr));
            ::_exit(127);
        }
        for (int i = 0; i < 200 && !there_; ++i) {
            ::usleep(10'000);
            const int fd = connect();
            there_ = fd >= 0;
            if (there_) ::close(fd);
            else if (::waitpid(pid_, nullptr, WNOHANG) == pid_) break; // there is no such program
        }
    }

    pid_t owner_ = ::getpid();
    std::string path_ = "/tmp/benchmark-" + std::to_string(owner_) + ".redis";
    pid_t pid_ = -1;
    bool there_ = false;
};

class redis_connection {
public:
    redis_connection() = default;
    redis_connection(const redis_connection&) = delete;
    redis_connection& operator=(const redis_connection&) = delete;
    ~redis_connection() {
        if (fd_ >= 0) ::close(fd_);
    }

    /// The answer as it came, "$2\r\nab\r\n".
    template <typename Words = std::initializer_list<std::string_view>>
    const std::string& ask(const Words& words) {
        if (owner_ != ::getpid()) { // another one's that was forked
            owner_ = ::getpid();
            fd_ = redis_server::here().connect();
            if (fd_ < 0) std::abort();
        }
        out_ = "*" + std::to_string(words.size()) + "\r\n";
        for (const auto& word : words) out_.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
        for (std::size_t done = 0; done < out_.size();) {
            const ssize_t n = ::write(fd_, out_.data() + done, out_.size() - done);
            if (n <= 0) std::abort();
            done += static_cast<std::size_t>(n);
        }
        answer_.clear();
        do {
            char part[65536];
            const ssize_t n = ::read(fd_, part, sizeof part);
            if (n <= 0) std::abort();
            answer_.append(part, static_cast<std::size_t>(n));
        } while (end_of_value(0) == std::string::npos);
        return answer_;
    }

private:
    /// npos: not all of it has come.
    [[nodiscard]] std::size_t end_of_value(std::size_t at) const {
        const std::size_t line = answer_.find("\r\n", at);
        if (line == std::string::npos) return line;
        std::size_t end = line + 2;
        if (answer_[at] != '$' && answer_[at] != '*') return end;
        const long n = std::atol(answer_.c_str() + at + 1);
        if (n < 0) return end; // nil
        if (answer_[at] == '$') return answer_.size() < end + static_cast<std::size_t>(n) + 2 ? std::string::npos
                                                                                               : end + static_cast<std::size_t>(n) + 2;
        for (long i = 0; i < n && end != std::string::npos; ++i) end = end_of_value(end);
        return end;
    }

    pid_t owner_ = -1;
    int fd_ = -1;
    std::string out_, answer_;
};
