// Boost.Interprocess: a map and a vector in a managed_shared_memory, under one interprocess_mutex; that mutex; a message_queue.
#include "contender.hpp"

#include <boost/container/map.hpp>
#include <boost/container/vector.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/string.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <unistd.h>

namespace ipc = boost::interprocess;

namespace {

using segment = ipc::managed_shared_memory::segment_manager;
using text = ipc::basic_string<char, std::char_traits<char>, ipc::allocator<char, segment>>;
using entry = std::pair<const text, text>;
using map = boost::container::map<text, text, std::less<>, ipc::allocator<entry, segment>>;
using row = boost::container::vector<text, ipc::allocator<text, segment>>;
using lock = ipc::scoped_lock<ipc::interprocess_mutex>;

struct boost_store final : store {
    boost_store() : name("benchmark" + std::to_string(::getpid())), queue_name(name + "q"), owner(::getpid()) {
        ipc::shared_memory_object::remove(name.c_str());
        ipc::message_queue::remove(queue_name.c_str());
        memory = ipc::managed_shared_memory(ipc::create_only, name.c_str(), std::size_t{64} << 20);
        d = memory.construct<map>("map")(std::less<>(), memory.get_segment_manager());
        l = memory.construct<row>("row")(memory.get_segment_manager());
        mutex = memory.construct<ipc::interprocess_mutex>("mutex")();
        queue = std::make_unique<ipc::message_queue>(ipc::create_only, queue_name.c_str(), 100, 64);
    }
    ~boost_store() override {
        if (owner != ::getpid()) return;
        ipc::shared_memory_object::remove(name.c_str());
        ipc::message_queue::remove(queue_name.c_str());
    }
    void set(const std::string& key, const std::string& value) override {
        const lock held(*mutex);
        set_locked(key, value);
    }
    std::string get(const std::string& key) override {
        const lock held(*mutex);
        const auto at = d->find(text(key.c_str(), memory.get_segment_manager()));
        return at == d->end() ? std::string() : std::string(at->second.data(), at->second.size());
    }
    void update(const pairs& some) override {
        const lock held(*mutex);
        for (const auto& [key, value] : some) set_locked(key, value);
    }
    void append(const std::string& value) override {
        const lock held(*mutex);
        l->emplace_back(value.c_str(), memory.get_segment_manager());
    }
    void clear_list() override {
        const lock held(*mutex);
        l->clear();
    }
    void acquire() override { mutex->lock(); }
    void release() override { mutex->unlock(); }
    void put(const std::string& value) override { queue->send(value.data(), value.size(), 0); }
    std::string take() override {
        char buffer[64];
        std::size_t size = 0;
        unsigned priority = 0;
        queue->receive(buffer, sizeof buffer, size, priority);
        return {buffer, size};
    }

    void set_locked(const std::string& key, const std::string& value) {
        const text k(key.c_str(), memory.get_segment_manager());
        const auto at = d->find(k);
        if (at != d->end()) at->second = value.c_str();
        else d->emplace(k, text(value.c_str(), memory.get_segment_manager()));
    }

    std::string name, queue_name;
    pid_t owner;
    ipc::managed_shared_memory memory;
    map* d = nullptr;
    row* l = nullptr;
    ipc::interprocess_mutex* mutex = nullptr;
    std::unique_ptr<ipc::message_queue> queue;
};

} // namespace

std::vector<contender> boost_interprocess() {
    return {{"Boost, under a mutex",
             {kind::get, kind::set, kind::half, kind::update, kind::append, kind::lock, kind::queue},
             1,
             [] { return std::make_unique<boost_store>(); },
             {}}};
}
