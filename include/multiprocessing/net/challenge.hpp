// Floor 7, net/challenge: how two ends of a connection prove to each other that they know a key, without telling it.
#pragma once

#include <algorithm> // std::copy
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/net/digest.hpp>
#include <multiprocessing/os/random.hpp>

namespace multiprocessing::net {

/// Nothing longer is read before somebody is authenticated.
inline constexpr std::uint64_t longest_answer = 256;

/// CPython's challenge, as one end sees it. It sends and receives nothing itself: it is told what has come, and says what is to
/// be sent.
///
///     deliver   send "#CHALLENGE#" M;  receive R;  R is the digest of M: send "#WELCOME#", or else "#FAILURE#"
///     answer    receive "#CHALLENGE#" M;  send the digest of M;  receive "#WELCOME#"
///
/// A listener delivers, then answers; a client answers, then delivers. M is "{sha256}" and 40 random bytes (CPython 3.12), or 20
/// random bytes alone (before); R is "{sha256}" and the HMAC of all of M, or the bare HMAC-MD5, which is how CPython before 3.12
/// answers anything, and all answer 20 bytes. The digest covers the name in M, so that nobody on the way can ask for another.
///
/// | state           | take(frame)                     | outgoing() then     | next                           |
/// | --------------- | ------------------------------- | ------------------- | ------------------------------ |
/// | await_digest    | the digest of M                 | "#WELCOME#"         | the next part, or done         |
/// | await_digest    | anything else                   | "#FAILURE#"         | failed, AuthenticationError    |
/// | await_challenge | "#CHALLENGE#" M                 | its digest          | await_verdict                  |
/// | await_challenge | anything else                   | nothing             | failed, AuthenticationError    |
/// | await_verdict   | "#WELCOME#"                     | the next part's     | the next part, or done         |
/// | await_verdict   | anything else                   | nothing             | failed, AuthenticationError    |
/// | done, failed    | anything                        | nothing             | failed, AuthenticationError    |
///
/// - Errors: AuthenticationError; ProcessError without libcrypto. After an error there may be something left to send.
class handshake {
public:
    enum class part { deliver, answer };

    /// `digest` is that of the challenges this end makes; empty: the older form.
    handshake(std::span<const std::byte> key, std::initializer_list<part> parts, std::string_view digest = "sha256")
        : key_(key.begin(), key.end()), parts_(parts), digest_(digest) {
        if (!digest_.empty() && find_digest(digest_) == nullptr) throw ValueError("no digest for a challenge: " + digest_);
        begin_part();
    }
    [[nodiscard]] static handshake of_listener(std::span<const std::byte> key) {
        return handshake(key, {part::deliver, part::answer});
    }
    [[nodiscard]] static handshake of_client(std::span<const std::byte> key) {
        return handshake(key, {part::answer, part::deliver});
    }

    /// What is to be sent before anything else happens; once.
    [[nodiscard]] std::optional<std::vector<std::byte>> outgoing() { return std::exchange(outgoing_, std::nullopt); }
    void take(std::span<const std::byte> frame);
    [[nodiscard]] bool is_done() const noexcept { return state_ == state::done; }

private:
    enum class state { await_digest, await_challenge, await_verdict, done, failed };

    static constexpr std::string_view challenge = "#CHALLENGE#";
    static constexpr std::string_view welcome = "#WELCOME#";
    static constexpr std::string_view failure = "#FAILURE#";
    static constexpr std::size_t older_size = 20; // of a challenge
    static constexpr std::size_t newer_size = 40;
    static constexpr std::size_t md5_size = 16;

    void begin_part();
    [[nodiscard]] bool is_digest(std::span<const std::byte> answer) const;
    void answer(std::span<const std::byte> frame);

    static std::string_view text(std::span<const std::byte> bytes) noexcept {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    /// Not insert(): of what that could do if the vector were another one, g++ 12 warns the user at -O3.
    static void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
        const std::size_t before = to.size();
        to.resize(before + bytes.size());
        std::copy(bytes.begin(), bytes.end(), to.data() + before);
    }
    static void append(std::vector<std::byte>& to, std::string_view text) {
        handshake::append(to, std::as_bytes(std::span(text)));
    }
    static void append_name(std::vector<std::byte>& to, std::string_view digest) {
        append(to, "{");
        append(to, digest);
        append(to, "}");
    }
    /// "sha256" of "{sha256}...", if it is one of those that are known; else empty.
    static std::string_view named_digest(std::span<const std::byte> bytes) noexcept {
        const std::string_view all = text(bytes);
        const std::size_t end = all.substr(0, 16).find('}'); // of names that are known
        if (all.empty() || all.front() != '{' || end == std::string_view::npos) return {};
        const digest_name* const known = find_digest(all.substr(1, end - 1));
        return known != nullptr ? known->name : std::string_view();
    }

    std::vector<std::byte> key_;
    std::vector<part> parts_; // those to come
    std::string digest_;
    state state_ = state::done;
    std::vector<std::byte> sent_; // M
    std::optional<std::vector<std::byte>> outgoing_;
};

inline void handshake::begin_part() {
    if (parts_.empty()) {
        state_ = state::done;
        return;
    }
    const part next = parts_.front();
    parts_.erase(parts_.begin());
    if (next == part::answer) {
        state_ = state::await_challenge;
        return;
    }
    sent_.clear();
    if (!digest_.empty()) append_name(sent_, digest_);
    std::array<std::byte, newer_size> random;
    const auto used = std::span(random).first(digest_.empty() ? older_size : newer_size);
    os::fill_random(used);
    append(sent_, used);
    outgoing_.emplace();
    append(*outgoing_, challenge);
    append(*outgoing_, sent_);
    state_ = state::await_digest;
}

inline void handshake::take(std::span<const std::byte> frame) {
    const state before = std::exchange(state_, state::failed); // also where something throws
    switch (before) {
    case state::await_digest: {
        const bool is_right = is_digest(frame);
        outgoing_.emplace();
        append(*outgoing_, is_right ? welcome : failure);
        if (!is_right) throw AuthenticationError("digest received was wrong");
        return begin_part();
    }
    case state::await_challenge: return answer(frame);
    case state::await_verdict:
        if (text(frame) != welcome) throw AuthenticationError("digest sent was rejected");
        return begin_part();
    default: throw AuthenticationError("a message that belongs to no challenge");
    }
}

inline bool handshake::is_digest(std::span<const std::byte> answer) const {
    const crypto& with = crypto::here();
    if (answer.size() == md5_size || answer.size() == older_size) return with.equal(answer, with.hmac("md5", key_, sent_));
    const std::string_view named = named_digest(answer);
    if (named.empty()) return false;
    return with.equal(answer.subspan(named.size() + 2), with.hmac(named, key_, sent_));
}

inline void handshake::answer(std::span<const std::byte> frame) {
    if (!text(frame).starts_with(challenge)) throw AuthenticationError("what came instead of a challenge is none");
    const auto message = frame.subspan(challenge.size());
    if (message.size() < older_size)
        throw AuthenticationError("challenge too short: " + std::to_string(message.size()) + " bytes");
    const bool is_older = message.size() == older_size;
    const std::string_view named = is_older ? "md5" : named_digest(message);
    if (named.empty()) throw AuthenticationError("a challenge for a digest that isn't known");
    const auto digest = crypto::here().hmac(named, key_, message);
    outgoing_.emplace();
    if (!is_older) append_name(*outgoing_, named);
    append(*outgoing_, digest);
    state_ = state::await_verdict;
}

} // namespace multiprocessing::net
