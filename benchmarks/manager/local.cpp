// The standard library's containers, of each process alone: nothing is shared. The floor.
#include "contender.hpp"

#include <deque>
#include <mutex>
#include <unordered_map>

namespace {

struct local_store final : store {
    void set(const std::string& key, const std::string& value) override { d[key] = value; }
    std::string get(const std::string& key) override { return d.find(key)->second; }
    void update(const pairs& some) override {
        for (const auto& [key, value] : some) d[key] = value;
    }
    void append(const std::string& value) override { l.push_back(value); }
    void clear_list() override { l.clear(); }
    void acquire() override { m.lock(); }
    void release() override { m.unlock(); }
    void put(const std::string& value) override { q.push_back(value); }
    std::string take() override {
        std::string value = std::move(q.front());
        q.pop_front();
        return value;
    }
    std::unordered_map<std::string, std::string> d;
    std::vector<std::string> l;
    std::mutex m;
    std::deque<std::string> q;
};

} // namespace

std::vector<contender> local() {
    return {{"not shared",
             {kind::get, kind::set, kind::half, kind::update, kind::append, kind::lock, kind::queue},
             1,
             [] { return std::make_unique<local_store>(); },
             {}}};
}
