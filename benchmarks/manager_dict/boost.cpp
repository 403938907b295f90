// boost::container::map in a managed_shared_memory, under one interprocess_mutex.
#include "contender.hpp"

#include <boost/container/map.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/string.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <unistd.h>

namespace ipc = boost::interprocess;

namespace {

using manager = ipc::managed_shared_memory::segment_manager;
using text = ipc::basic_string<char, std::char_traits<char>, ipc::allocator<char, manager>>;
using entry = std::pair<const text, text>;
using map = boost::container::map<text, text, std::less<>, ipc::allocator<entry, manager>>;

struct boost_store final : store {
    boost_store() : name("benchmark" + std::to_string(::getpid())), owner(::getpid()) {
        ipc::shared_memory_object::remove(name.c_str());
        memory = ipc::managed_shared_memory(ipc::create_only, name.c_str(), std::size_t{64} << 20);
        m = memory.construct<map>("map")(std::less<>(), memory.get_segment_manager());
        mutex = memory.construct<ipc::interprocess_mutex>("mutex")();
    }
    ~boost_store() override {
        if (owner == ::getpid()) ipc::shared_memory_object::remove(name.c_str());
    }
    void set(const std::string& key, const std::string& value) override {
        const ipc::scoped_lock<ipc::interprocess_mutex> held(*mutex);
        const text k(key.c_str(), memory.get_segment_manager());
        const auto at = m->find(k);
        if (at != m->end()) at->second = value.c_str();
        else m->emplace(k, text(value.c_str(), memory.get_segment_manager()));
    }
    std::string get(const std::string& key) override {
        const ipc::scoped_lock<ipc::interprocess_mutex> held(*mutex);
        const auto at = m->find(text(key.c_str(), memory.get_segment_manager()));
        return at == m->end() ? std::string() : std::string(at->second.data(), at->second.size());
    }
    std::string name;
    pid_t owner;
    ipc::managed_shared_memory memory;
    map* m = nullptr;
    ipc::interprocess_mutex* mutex = nullptr;
};

} // namespace

std::vector<contender> boost_map() {
    return {{"Boost map, interprocess_mutex", [] { return std::make_unique<boost_store>(); }}};
}
