// A Redis list over a Unix socket: RPUSH by producers, BLPOP by consumers, a connection each.
#include "contender.hpp"

#include <cstdio>
#include <cstring>
#include <string_view>

#include <support/redis.hpp>

namespace {

struct redis_line final : line {
    redis_line() { redis.ask({"DEL", "line"}); }
    void send(const char* message, std::size_t size) override { redis.ask({"RPUSH", "line", std::string_view(message, size)}); }
    void receive(char* message, std::size_t size) override {
        const std::string& answer = redis.ask({"BLPOP", "line", "0"});
        std::memcpy(message, answer.data() + answer.size() - 2 - size, size);
    }
    redis_connection redis;
};

} // namespace

std::vector<contender> redis() {
    if (!redis_server::here().is_there()) {
        std::printf("(no redis-server here)\n");
        return {};
    }
    return {{"Redis list", [](std::size_t) { return std::make_unique<redis_line>(); }, true, 20}};
}
