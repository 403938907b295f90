// Redis over a Unix socket, a connection for each client: a hash, a list, a lock as it is usually made of a key, a list as a queue.
#include "contender.hpp"

#include <cstdio>
#include <string_view>

#include <sched.h>

#include <support/redis.hpp>

namespace {

struct redis_store final : store {
    redis_store() { redis.ask({"FLUSHALL"}); }
    void set(const std::string& key, const std::string& value) override { redis.ask({"HSET", "d", key, value}); }
    std::string get(const std::string& key) override { return bulk(redis.ask({"HGET", "d", key})); }
    void update(const pairs& some) override {
        std::vector<std::string_view> words{"HSET", "d"};
        for (const auto& [key, value] : some) {
            words.push_back(key);
            words.push_back(value);
        }
        redis.ask(words);
    }
    void append(const std::string& value) override { redis.ask({"RPUSH", "l", value}); }
    void clear_list() override { redis.ask({"DEL", "l"}); }
    void acquire() override {
        while (redis.ask({"SET", "m", "mine", "NX", "PX", "10000"})[0] != '+') ::sched_yield();
    }
    void release() override { redis.ask({"DEL", "m"}); }
    void put(const std::string& value) override { redis.ask({"RPUSH", "q", value}); }
    std::string take() override {
        const std::string& answer = redis.ask({"BLPOP", "q", "0"});
        return bulk(answer.substr(answer.rfind('$')));
    }

    static std::string bulk(const std::string& answer) {
        const auto line = answer.find("\r\n");
        return answer.substr(line + 2, answer.size() - line - 4);
    }

    redis_connection redis;
};

} // namespace

std::vector<contender> redis() {
    if (!redis_server::here().is_there()) {
        std::printf("left out: Redis, for there is no redis-server\n");
        return {};
    }
    return {{"Redis",
             {kind::get, kind::set, kind::half, kind::update, kind::append, kind::lock, kind::queue},
             50,
             [] { return std::make_unique<redis_store>(); },
             {}}};
}
