// Floor 10, manager/transport_family: reaching a server through the memory that it shares with its clients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/manager/call.hpp>
#include <multiprocessing/manager/remote.hpp>
#include <multiprocessing/manager/transport.hpp>
#include <multiprocessing/manager/transport_line.hpp>
#include <multiprocessing/os/self.hpp>

namespace multiprocessing::manager {

/// The lines of this process to one server: one for each call that is under way, and those that wait for the next.
class family_transport final : public transport {
public:
    explicit family_transport(desk to) : desk_(std::move(to)) {}
    ~family_transport() override {
        if (process_ == os::pid())
            for (auto& each : idle_) each->leave(line::client);
    }

    /// The one to that server; lives as long as anybody uses it.
    [[nodiscard]] static std::shared_ptr<family_transport> to(const desk& where);

    [[nodiscard]] inline serial::message call(std::uint64_t object, std::string_view method, const serial::message& arguments) override;
    [[nodiscard]] bool is_by_network() const noexcept override { return false; }
    [[nodiscard]] std::string server_name() const override { return desk_.describe(); }
    [[nodiscard]] std::uint64_t server_id() const noexcept override { return desk_->id; }
    [[nodiscard]] const desk& where() const noexcept { return desk_; }

    /// Somebody here dropped the last reference to an object.
    void tell_dropped(std::uint64_t number) noexcept {
        try {
            if (!desk_.is_closed(false)) put_through_door(number, nullptr);
        } catch (...) {
            // No memory for the note: the server finds out when it looks through its objects.
        }
    }

private:
    static constexpr std::size_t most_idle = 32; ///< each has a thread of the server

    void put_through_door(std::uint64_t dropped, const line* opened) {
        auto door = desk_.door();
        channel::outgoing message(door, [&](serial::writer& out) { write_notice(out, dropped, opened); });
        const auto attempt = [&] { return message.try_send(door); };
        while (!door.wait_for_room(attempt, os::deadline::after(std::chrono::milliseconds(10)))) {}
        MULTIPROCESSING_STEP(notice_sent);
        desk_->link.polling[0].ring();
    }
    [[nodiscard]] std::unique_ptr<line> take_line();
    void put_by(std::unique_ptr<line> used) noexcept;
    [[noreturn]] void throw_gone() const {
        throw EOFError("the manager's server " + desk_.describe() + " has ended, and nobody answers for it");
    }

    desk desk_;
    pid_t process_ = os::pid();
    std::vector<std::unique_ptr<line>> idle_;
};

/// A share in a token that the server made for this reference, and others like it. While any token lives, the object does; the
/// family's memory counts who holds it, whoever dies.
class family_reference final : public reference {
public:
    family_reference(std::shared_ptr<family_transport> through, memory::holding token, std::uint64_t number)
        : reference(number), through_(std::move(through)), token_(std::move(token)) {}
    ~family_reference() override {
        const memory::object_name name = token_.name();
        token_ = {};
        MULTIPROCESSING_STEP(token_dropped);
        if (memory::family::here().find(name) == memory::no_object) through_->tell_dropped(number());
    }

    [[nodiscard]] serial::message call(std::string_view method, const serial::message& arguments) const override {
        return through_->call(number(), method, arguments);
    }
    inline void write(serial::writer& out) const override;
    [[nodiscard]] std::string server_name() const override { return through_->server_name(); }
    [[nodiscard]] std::uint64_t server_id() const noexcept override { return through_->server_id(); }

private:
    std::shared_ptr<family_transport> through_;
    memory::holding token_;
};

/// Followed by the desk, the token and the number.
inline void write_family_reference(serial::writer& out, const desk& where, const memory::holding& token, std::uint64_t number) {
    out.number(way::family);
    serial::write(out, where);
    out.share(token);
    out.number(number);
}
/// Followed by the server's id, its address and the number.
inline void write_address(serial::writer& out, way by, std::uint64_t server_id, const std::string& address, std::uint64_t number) {
    if (address.empty())
        throw NotPortableError("a proxy can't leave this family of processes, because its manager has no address: make the manager "
                               "with .address = \"127.0.0.1:0\", or the path of a socket");
    out.number(by);
    out.number(server_id);
    serial::write(out, address);
    out.number(number);
}

inline void family_reference::write(serial::writer& out) const {
    const desk& where = through_->where();
    if (for_the_network::now()) write_address(out, way::address, where->id, text_in(where->address), number());
    else write_family_reference(out, where, token_, number());
}

namespace detail {

/// Servers that run in this very process: a reference to one of their objects needs no line.
using home_finder = std::shared_ptr<const reference> (*)(std::uint64_t server_id, std::uint64_t number);
inline constinit std::atomic<home_finder> find_at_home{nullptr};

inline std::shared_ptr<const reference> at_home(std::uint64_t server_id, std::uint64_t number) {
    const auto find = find_at_home.load(std::memory_order_acquire);
    return find != nullptr ? find(server_id, number) : nullptr;
}

inline std::vector<std::weak_ptr<family_transport>>& family_transports() {
    static auto& all = *new std::vector<std::weak_ptr<family_transport>>; // never deleted: used to the very end
    return all;
}

inline std::shared_ptr<const reference> read_family_reference(serial::reader& in) {
    auto where = serial::take<desk>(in);
    memory::holding token = in.share(1);
    const auto number = in.number<std::uint64_t>();
    if (!where || !token || number == 0) in.fail("a reference to nothing");
    if (auto home = at_home(where->id, number)) return home;
    return std::make_shared<family_reference>(family_transport::to(where), std::move(token), number);
}

} // namespace detail

inline std::shared_ptr<family_transport> family_transport::to(const desk& where) {
    std::vector<std::shared_ptr<family_transport>> others; // let go of after the lock
    auto fresh = std::make_shared<family_transport>(where);
    const std::lock_guard lock(detail::idle_lock);
    auto& all = detail::family_transports();
    std::erase_if(all, [](const auto& each) { return each.expired(); });
    for (const auto& each : all)
        if (auto there = each.lock()) {
            if (there->desk_.state() == where.state()) return there;
            others.push_back(std::move(there));
        }
    all.push_back(fresh);
    return fresh;
}

inline std::unique_ptr<line> family_transport::take_line() {
    std::vector<std::unique_ptr<line>> inherited; // somebody else's
    {
        const std::lock_guard lock(detail::idle_lock);
        if (process_ != os::pid()) {
            inherited.swap(idle_);
            process_ = os::pid();
        }
        if (!idle_.empty()) {
            auto one = std::move(idle_.back());
            idle_.pop_back();
            return one;
        }
    }
    auto one = std::make_unique<line>(line::make());
    MULTIPROCESSING_STEP(line_made);
    put_through_door(0, one.get());
    return one;
}

inline void family_transport::put_by(std::unique_ptr<line> used) noexcept {
    try {
        const std::lock_guard lock(detail::idle_lock);
        if (idle_.size() < most_idle) return idle_.push_back(std::move(used));
    } catch (const std::bad_alloc&) {
    }
    used->leave(line::client);
}

inline serial::message family_transport::call(std::uint64_t object, std::string_view method, const serial::message& arguments) {
    if (desk_.is_closed(false)) throw_gone();
    auto mine = take_line();
    struct leaving {
        line* which;
        ~leaving() {
            if (which != nullptr) which->leave(line::client);
        }
    } unless_put_by{mine.get()};
    mine->send(line::client, [&](serial::writer& out) {
        write_request(out, {object, detail::thread_number(), true, method}, arguments);
    });
    channel::incoming message;
    const auto over = [&](bool closer) { return mine->is_left(line::server) || desk_.is_closed(closer); };
    if (!mine->receive(line::client, message, over, desk_->pid.load())) throw_gone();
    MULTIPROCESSING_STEP(answer_taken);
    const auto shares = message.shares();
    serial::reader in(message.bytes(), "answer");
    in.claim_from(shares);
    struct putting_by {
        family_transport& to;
        std::unique_ptr<line>& used;
        channel::incoming& message;
        ~putting_by() {
            used->put_away(line::client, message);
            to.put_by(std::move(used));
        }
    } after_reading{*this, mine, message};
    unless_put_by.which = nullptr;
    return read_answer(in);
}

} // namespace multiprocessing::manager
