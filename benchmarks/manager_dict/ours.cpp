// DictProxy: keys and values of one type, and mp::Objects.
#include "contender.hpp"

#include <multiprocessing/managers.hpp>

namespace mp = multiprocessing;

namespace {

mp::Manager& manager() {
    static mp::Manager one;
    return one;
}

struct typed final : store {
    void set(const std::string& key, const std::string& value) override { d.set(key, value); }
    std::string get(const std::string& key) override { return d.at(key); }
    mp::DictProxy<std::string, std::string> d = manager().dict<std::string, std::string>();
};

struct dynamic final : store {
    void set(const std::string& key, const std::string& value) override { d.set(key, value); }
    std::string get(const std::string& key) override { return d.at(key).as<std::string>(); }
    mp::DictProxy<> d = manager().dict();
};

} // namespace

std::vector<contender> ours() {
    return {{"ours, dict<string, string>", [] { return std::make_unique<typed>(); }},
            {"ours, dict of Objects", [] { return std::make_unique<dynamic>(); }}};
}
