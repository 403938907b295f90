// Floor 10, manager/queue_servant: a queue in a server, for clients elsewhere: what they put, and what they are handed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/near_or_far.hpp> // received_time
#include <multiprocessing/manager/queue_store.hpp>
#include <multiprocessing/manager/servant.hpp>
#include <multiprocessing/os/deadline.hpp>
#include <multiprocessing/serial/archive.hpp>

namespace multiprocessing::manager {

/// Items on their way to a client, under a number by which it says that it has them.
struct handed_out {
    std::uint64_t number = 0; ///< 0: there were none in time
    std::vector<kept_item> items;
    bool may_be_more = false; ///< ask again
};

/// Serves a store.
///
/// An item is handed out and kept, until the client has said that it has it, which it does before its get() returns:
///
/// | step | who    | does                                | killed after it                                         |
/// | ---- | ------ | ----------------------------------- | ------------------------------------------------------- |
/// | 1    | client | asks, and waits                     | the call notices, and takes nothing                      |
/// | 2    | server | takes an item, and keeps a copy     | (client) when its connections are gone, it is given back |
/// | 3    | server | answers                             | the same                                                 |
/// | 4    | client | has it, says so, and get() returns  | the item is the client's, and gone with it               |
class queue_servant final : public servant {
public:
    explicit queue_servant(std::unique_ptr<queue_store> store) noexcept : store_(std::move(store)) {}

    inline serial::message call(std::string_view method, const serial::message& arguments, const caller& who) override;
    inline void client_gone(std::uint64_t client) noexcept override;

private:
    /// Of one client.
    struct account {
        std::map<std::uint64_t, std::vector<kept_item>> handed; ///< by their numbers
        std::uint64_t had = 0;                                    ///< in its hands and not yet done with, these included
    };
    static constexpr std::size_t most_bytes_at_once = std::size_t{16} << 20;

    [[nodiscard]] handed_out hand_out(std::uint64_t most, const os::deadline& until, const caller& who);
    void give_back(std::vector<kept_item>& all) noexcept {
        for (auto at = all.rbegin(); at != all.rend(); ++at) store_->give_back(std::move(*at));
    }
    [[nodiscard]] std::vector<kept_item> take_account_of(std::uint64_t client, std::uint64_t number, bool has_them);
    void done(std::uint64_t client);

    const std::unique_ptr<queue_store> store_;
    std::mutex lock_; // for moments, and around:
    std::map<std::uint64_t, account> accounts_;
    std::uint64_t next_ = 1;
};

inline serial::message queue_servant::call(std::string_view method, const serial::message& arguments, const caller& who) {
    if (method == "#put") {
        const auto [items, time] = serial::unpack_message<std::pair<std::vector<packed_item>, std::int64_t>>(arguments);
        const os::deadline until = received_time(time);
        std::uint64_t n = 0;
        while (n < items.size() && store_->put(items[n], until, who)) ++n;
        return serial::pack_message(n);
    }
    if (method == "#get") {
        const auto [most, time] = serial::unpack_message<std::pair<std::uint64_t, std::int64_t>>(arguments);
        const handed_out all = hand_out(most, received_time(time), who);
        std::vector<packed_item> bytes;
        for (const kept_item& each : all.items) bytes.push_back(each.bytes);
        return serial::pack_message(std::tuple(all.number, std::move(bytes), all.may_be_more));
    }
    if (method == "#have" || method == "#refuse") {
        auto back = take_account_of(who.client, serial::unpack_message<std::uint64_t>(arguments), method == "#have");
        give_back(back);
        return {};
    }
    if (method == "#size") return serial::pack_message(store_->size());
    if (method == "#full") return serial::pack_message(store_->full());
    if (store_->is_joinable() && method == "#done") return done(who.client), serial::message();
    if (store_->is_joinable() && method == "#join")
        return serial::pack_message(store_->join(received_time(serial::unpack_message<std::int64_t>(arguments)), who));
    refuse("Queue", method);
}

inline handed_out queue_servant::hand_out(std::uint64_t most, const os::deadline& until, const caller& who) {
    handed_out all;
    if (most == 0) return all;
    std::size_t bytes = 0;
    auto one = store_->get(until, who);
    try {
        for (; one; one = store_->get(os::deadline::after({}), who)) {
            bytes += one->bytes.size();
            all.items.push_back(*std::move(one));
            if (all.items.size() == most) break;
            all.may_be_more = bytes >= most_bytes_at_once || store_->gives_singly();
            if (all.may_be_more) break;
        }
        if (all.items.empty()) return all;
        const std::lock_guard lock(lock_);
        account& its = accounts_[who.client];
        its.handed.emplace(next_, all.items);
        all.number = next_++;
        if (store_->is_joinable()) its.had += all.items.size();
    } catch (...) {
        give_back(all.items);
        throw;
    }
    return all;
}

/// What is to be given back of it.
inline std::vector<kept_item> queue_servant::take_account_of(std::uint64_t client, std::uint64_t number, bool has_them) {
    const std::lock_guard lock(lock_);
    const auto at = accounts_.find(client);
    if (at == accounts_.end()) return {};
    const auto handed = at->second.handed.find(number);
    if (handed == at->second.handed.end()) return {};
    std::vector<kept_item> items = std::move(handed->second);
    at->second.handed.erase(handed);
    if (has_them) items.clear();
    else at->second.had -= std::min<std::uint64_t>(at->second.had, items.size());
    if (at->second.handed.empty() && at->second.had == 0) accounts_.erase(at);
    return items;
}

inline void queue_servant::done(std::uint64_t client) {
    store_->done();
    const std::lock_guard lock(lock_);
    auto whose = accounts_.find(client);
    if (whose == accounts_.end() || whose->second.had == 0) // what another one has taken
        whose = std::max_element(accounts_.begin(), accounts_.end(),
                                 [](const auto& a, const auto& b) { return a.second.had < b.second.had; });
    if (whose == accounts_.end() || whose->second.had == 0) return;
    if (--whose->second.had == 0 && whose->second.handed.empty()) accounts_.erase(whose);
}

inline void queue_servant::client_gone(std::uint64_t client) noexcept {
    account its;
    {
        const std::lock_guard lock(lock_);
        const auto at = accounts_.find(client);
        if (at == accounts_.end()) return;
        its = std::move(at->second);
        accounts_.erase(at);
    }
    for (auto at = its.handed.rbegin(); at != its.handed.rend(); ++at) {
        its.had -= std::min<std::uint64_t>(its.had, at->second.size());
        give_back(at->second);
    }
    try {
        for (; its.had != 0; --its.had) store_->done(); // nobody will say so any more
    } catch (const ValueError&) {
        // somebody else did
    }
}

template <typename T>
struct served<Queue<T>> {
    static std::shared_ptr<servant> by(Queue<T>& x) {
        return std::make_shared<queue_servant>(std::make_unique<shared_queue<Queue<T>>>(x));
    }
};
template <typename T>
struct served<JoinableQueue<T>> {
    static std::shared_ptr<servant> by(JoinableQueue<T>& x) {
        return std::make_shared<queue_servant>(std::make_unique<shared_queue<JoinableQueue<T>>>(x));
    }
};

} // namespace multiprocessing::manager
