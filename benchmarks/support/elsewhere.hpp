// A program that is asked by lines and answers by lines: a contender that can't be in the same program as the others.
#pragma once

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

class elsewhere {
public:
    explicit elsewhere(std::vector<std::string> command) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return;
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, ends[1], 0);
        ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
        ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        std::vector<char*> words;
        for (auto& word : command) words.push_back(word.data());
        words.push_back(nullptr);
        if (::posix_spawnp(&pid_, words.front(), &actions, nullptr, words.data(), environ) != 0) pid_ = -1;
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
        if (pid_ > 0)
            line_ = ends[0];
        else
            ::close(ends[0]);
    }
    elsewhere(const elsewhere&) = delete;
    elsewhere& operator=(const elsewhere&) = delete;
    ~elsewhere() {
        if (line_ < 0) return;
        ::close(line_); // it ends with its input
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
    }

    /// One line back; nothing when it isn't there, or no more.
    std::optional<std::string> ask(std::string question) {
        if (line_ < 0) return std::nullopt;
        question += '\n';
        for (std::size_t sent = 0; sent < question.size();) {
            const ssize_t n = ::send(line_, question.data() + sent, question.size() - sent, MSG_NOSIGNAL);
            if (n <= 0) return std::nullopt;
            sent += static_cast<std::size_t>(n);
        }
        for (;;) {
            if (const auto end = said_.find('\n'); end != std::string::npos) {
                std::string answer = said_.substr(0, end);
                said_.erase(0, end + 1);
                return answer;
            }
            char part[4096];
            const ssize_t n = ::recv(line_, part, sizeof part, 0);
            if (n <= 0) return std::nullopt;
            said_.append(part, static_cast<std::size_t>(n));
        }
    }

private:
    pid_t pid_ = -1;
    int line_ = -1;
    std::string said_;
};
