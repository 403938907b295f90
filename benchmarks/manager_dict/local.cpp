// std::unordered_map, of each process alone: nothing is shared. The floor.
#include "contender.hpp"

#include <unordered_map>

namespace {

struct local final : store {
    void set(const std::string& key, const std::string& value) override { m[key] = value; }
    std::string get(const std::string& key) override { return m.find(key)->second; }
    std::unordered_map<std::string, std::string> m;
};

} // namespace

std::vector<contender> local_map() {
    return {{"unordered_map, not shared", [] { return std::make_unique<local>(); }, false}};
}
