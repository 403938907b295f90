// A Manager: of one type, of mp::Objects, and the same over TCP, as one reaches it that isn't of its family.
#include "contender.hpp"

#include <multiprocessing/managers.hpp>

namespace mp = multiprocessing;

namespace {

class counter {
public:
    long add(long n) { return sum_ += n; }

private:
    std::atomic<long> sum_ = 0;
};

const mp::ManagerOptions where{.address = "localhost:0", .authkey = "benchmark"};

mp::SyncManager& near() {
    static mp::SyncManager one = [] {
        mp::SyncManager made(where);
        made.register_type<counter>("counter").method<&counter::add>("add");
        made.start();
        return made;
    }();
    return one;
}
mp::SyncManager& far() {
    static mp::SyncManager one = [] {
        mp::SyncManager made({.address = near().address(), .authkey = where.authkey});
        made.connect();
        return made;
    }();
    return one;
}

template <typename T>
struct made_by final : store {
    explicit made_by(const mp::SyncManager& m)
        : d(m.dict<T, T>()), l(m.list<T>()), lock(m.Lock()), q(m.Queue<T>()), c(m.create<counter>("counter")) {}

    void set(const std::string& key, const std::string& value) override { d.set(key, value); }
    std::string get(const std::string& key) override { return text(d.at(key)); }
    void update(const pairs& some) override { d.update(some); }
    void append(const std::string& value) override { l.append(value); }
    void clear_list() override { l.clear(); }
    void acquire() override { lock.acquire(); }
    void release() override { lock.release(); }
    void put(const std::string& value) override { q.put(value); }
    std::string take() override { return text(q.get()); }
    void call() override { static_cast<void>(c.template call<&counter::add>(1)); }

    static std::string text(T x) {
        if constexpr (std::is_same_v<T, std::string>) return x;
        else return x.template as<std::string>();
    }

    mp::DictProxy<T, T> d;
    mp::ListProxy<T> l;
    mp::AcquirerProxy lock;
    mp::QueueProxy<T> q;
    mp::Proxy<counter> c;
};

} // namespace

std::vector<contender> ours() {
    static_cast<void>(far()); // both are started by now
    return {{"ours, of std::string",
             {kind::get, kind::set, kind::half, kind::update, kind::append, kind::lock, kind::queue, kind::call},
             1,
             [] { return std::make_unique<made_by<std::string>>(near()); },
             {}},
            {"ours, of Objects",
             {kind::get, kind::set, kind::half, kind::update, kind::append, kind::queue},
             1,
             [] { return std::make_unique<made_by<mp::Object>>(near()); },
             {}},
            {"ours, over TCP",
             {kind::get, kind::set, kind::half, kind::update, kind::append, kind::lock, kind::queue, kind::call},
             20,
             [] { return std::make_unique<made_by<std::string>>(far()); },
             {}}};
}
