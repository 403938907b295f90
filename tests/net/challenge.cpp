#include <multiprocessing/net/challenge.hpp>

#include <array>
#include <string>
#include <vector>

#include <multiprocessing/net/address.hpp>
#include <multiprocessing/net/digest.hpp>
#include <multiprocessing/net/secret.hpp>

#include "support/catch.hpp"

namespace mp = multiprocessing;
namespace net = multiprocessing::net;
using net::handshake;

namespace {

std::vector<std::byte> bytes(const std::string& text) {
    const auto all = std::as_bytes(std::span(text));
    return {all.begin(), all.end()};
}
std::string text(const std::vector<std::byte>& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
std::string hex(const std::vector<std::byte>& bytes) {
    std::string made;
    for (const std::byte each : bytes) {
        made += "0123456789abcdef"[std::to_integer<unsigned>(each) >> 4];
        made += "0123456789abcdef"[std::to_integer<unsigned>(each) & 15];
    }
    return made;
}
std::string hmac(const std::string& digest, const std::string& key, const std::string& message) {
    return text(net::crypto::here().hmac(digest, bytes(key), bytes(message)));
}

/// Both ends talk until nobody has anything to say. The error of the one who has it, or nothing.
std::string talk(handshake& a, handshake& b) {
    std::string error;
    for (;;) {
        auto* from = &a;
        auto* to = &b;
        auto message = from->outgoing();
        if (!message) {
            std::swap(from, to);
            message = from->outgoing();
        }
        if (!message) return error;
        try {
            to->take(*message);
        } catch (const mp::AuthenticationError& e) {
            error += std::string(to == &a ? "a: " : "b: ") + e.what() + "; ";
        }
    }
}

} // namespace

TEST_CASE("digests are those of the standards", "[net][digest]") { // RFC 2202, RFC 4231
    REQUIRE(hex(bytes(hmac("md5", "Jefe", "what do ya want for nothing?"))) == "750c783e6ab0b503eaa86e310a5db738");
    REQUIRE(hex(bytes(hmac("sha256", "Jefe", "what do ya want for nothing?"))) ==
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    REQUIRE(hex(bytes(hmac("sha384", "Jefe", "what do ya want for nothing?"))) ==
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649");
    REQUIRE(hex(bytes(hmac("sha256", "", ""))) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    REQUIRE(hmac("sha3_256", "k", "m").size() == 32);
    REQUIRE(hmac("sha3_384", "k", "m").size() == 48);
    REQUIRE_THROWS_AS(hmac("crc32", "k", "m"), mp::ValueError);

    const auto& crypto = net::crypto::here();
    REQUIRE(crypto.equal(bytes("same"), bytes("same")));
    REQUIRE(crypto.equal({}, {}));
    REQUIRE_FALSE(crypto.equal(bytes("same"), bytes("sane")));
    REQUIRE_FALSE(crypto.equal(bytes("same"), bytes("samey")));
}

TEST_CASE("without libcrypto one sentence says what to install", "[net][digest]") {
    const std::array<const char*, 2> names{"libcrypto-that-isnt-there.so.9", "libc.so.6"};
    REQUIRE_THROWS_WITH(net::crypto(names), testing::contains("libssl3"));
}

TEST_CASE("both ends know the key, or both learn that they don't", "[net][challenge]") {
    for (const std::string key : {"secret", "", "\0x"}) {
        auto listener = handshake::of_listener(bytes(key)), client = handshake::of_client(bytes(key));
        REQUIRE_FALSE(listener.is_done());
        REQUIRE(talk(listener, client).empty());
        REQUIRE(listener.is_done());
        REQUIRE(client.is_done());
    }
    auto listener = handshake::of_listener(bytes("secret")), client = handshake::of_client(bytes("other"));
    REQUIRE(talk(listener, client) == "a: digest received was wrong; b: digest sent was rejected; ");
    REQUIRE_FALSE(listener.is_done());
    REQUIRE_FALSE(client.is_done());
    REQUIRE_THROWS_AS(listener.take(bytes("#WELCOME#")), mp::AuthenticationError); // no second chance
}

TEST_CASE("each form of the challenge is answered and taken", "[net][challenge]") { // T198, T199
    for (const std::string digest : {"", "md5", "sha256", "sha384", "sha3_256", "sha3_384"}) {
        CAPTURE(digest);
        handshake deliver(bytes("key"), {handshake::part::deliver}, digest);
        handshake answer(bytes("key"), {handshake::part::answer});
        const auto challenge = text(*deliver.outgoing());
        const std::string message = challenge.substr(11);
        REQUIRE(challenge.substr(0, 11) == "#CHALLENGE#");
        REQUIRE(message.size() == (digest.empty() ? 20 : digest.size() + 2 + 40));
        if (!digest.empty()) REQUIRE(message.substr(0, digest.size() + 2) == "{" + digest + "}");
        answer.take(bytes(challenge));
        const auto answered = text(*answer.outgoing());
        if (digest.empty()) REQUIRE(answered == hmac("md5", "key", message));
        else REQUIRE(answered == "{" + digest + "}" + hmac(digest, "key", message));
        deliver.take(bytes(answered));
        REQUIRE(text(*deliver.outgoing()) == "#WELCOME#");
        REQUIRE(deliver.is_done());
        REQUIRE_FALSE(answer.is_done());
        answer.take(bytes("#WELCOME#"));
        REQUIRE(answer.is_done());
    }
    // CPython before 3.12 answers everything so.
    handshake deliver(bytes("key"), {handshake::part::deliver});
    const std::string message = text(*deliver.outgoing()).substr(11);
    deliver.take(bytes(hmac("md5", "key", message)));
    REQUIRE(deliver.is_done());
    REQUIRE_THROWS_AS(handshake(bytes("key"), {handshake::part::deliver}, "crc32"), mp::ValueError);
}

TEST_CASE("what is none of it is refused", "[net][challenge]") { // T196, T197
    const auto refuses = [](handshake end, const std::string& frame, bool tells) {
        static_cast<void>(end.outgoing());
        REQUIRE_THROWS_AS(end.take(bytes(frame)), mp::AuthenticationError);
        const auto said = end.outgoing();
        REQUIRE(said.has_value() == tells);
        if (tells) REQUIRE(text(*said) == "#FAILURE#");
        REQUIRE_FALSE(end.is_done());
    };
    const std::string random(40, 'r');
    for (const std::string& bad : {std::string(), std::string("something bogus"), std::string(16, 'x'), std::string(20, 'x'),
                                  std::string("{sha256}"), "{sha256}" + std::string(32, 'x'), "{md5}" + std::string(16, 'x'),
                                  "{nonsense}" + std::string(32, 'x'), std::string("{"), "{}" + std::string(32, 'x'),
                                  std::string(256, '{'), std::string("#WELCOME#")})
        refuses(handshake::of_listener(bytes("key")), bad, true);
    for (const std::string& bad : {std::string(), std::string("#CHALLENGE"), "#CHALLENGE#" + std::string(19, 'x'),
                                  "#CHALLENGE#" + random, "#CHALLENGE#{crc32}" + random, "#CHALLENGE#{" + random,
                                  std::string("#WELCOME#"), std::string(256, 'x')})
        refuses(handshake::of_client(bytes("key")), bad, false);
    for (const std::string& bad : {std::string("#FAILURE#"), std::string(), std::string("#WELCOME#x"), std::string("bogus")}) {
        auto client = handshake::of_client(bytes("key"));
        client.take(bytes("#CHALLENGE#" + std::string(20, 'x')));
        refuses(std::move(client), bad, false);
    }
    // A digest of the right kind over something else than the whole message.
    auto end = handshake::of_listener(bytes("key"));
    const std::string message = text(*end.outgoing()).substr(11);
    REQUIRE_THROWS_AS(end.take(bytes("{sha256}" + hmac("sha256", "key", message.substr(8)))), mp::AuthenticationError);
}

TEST_CASE("a key is text, bytes, or none", "[net][secret]") {
    REQUIRE_FALSE(net::secret());
    REQUIRE_FALSE(net::secret(std::nullopt));
    REQUIRE(net::secret(""));
    REQUIRE(net::secret("").bytes().empty());
    REQUIRE(net::secret("key").bytes() == bytes("key"));
    REQUIRE(net::secret(std::string("k\0y", 3)).bytes() == bytes(std::string("k\0y", 3)));
    REQUIRE(net::secret(bytes("key")).bytes() == bytes("key"));
}

TEST_CASE("addresses: hosts with ports, paths, abstract names", "[net][address]") {
    const auto host = [](const char* text, const char* family = "") {
        const net::address a(text, family);
        REQUIRE_FALSE(a.is_unix);
        return a.host + "|" + a.port;
    };
    REQUIRE(host("localhost:6000") == "localhost|6000");
    REQUIRE(host("127.0.0.1:0") == "127.0.0.1|0");
    REQUIRE(host("[::1]:80") == "::1|80");
    REQUIRE(host("::1:80") == "::1|80");
    REQUIRE(host(":80") == "|80");
    for (const char* path : {"/tmp/x", "name", "./a:1", "/tmp/a:1", "a:b", ""}) REQUIRE(net::address(path).is_unix);
    REQUIRE(net::address(std::string("\0name:1", 7)).is_unix);
    REQUIRE(net::address("a:1", "AF_UNIX").is_unix);
    REQUIRE_THROWS_AS(net::address("/tmp/x", "AF_INET"), mp::ValueError);
    REQUIRE_THROWS_AS(net::address("localhost:65536"), mp::ValueError);
    REQUIRE_THROWS_AS(net::address("localhost:99999999999999999999"), mp::ValueError);
    REQUIRE_THROWS_WITH(net::address("x", "AF_PIPE"), testing::contains("AF_PIPE"));
    REQUIRE_THROWS_AS(net::address("\\\\.\\pipe\\test"), mp::ValueError); // T212
    REQUIRE_THROWS_AS(net::address(std::string(200, 'x')).endpoints(true), mp::ValueError);

    REQUIRE(net::address("127.0.0.1:80").endpoints(false).at(0).text() == "127.0.0.1:80");
    REQUIRE(net::address("[::1]:80").endpoints(false).at(0).text() == "[::1]:80");
    REQUIRE(net::address("/tmp/x").endpoints(false).at(0).text() == "/tmp/x");
    REQUIRE(net::address(std::string("\0n", 2)).endpoints(false).at(0).text() == std::string("\0n", 2));
    REQUIRE(net::address("localhost:80").endpoints(true).at(0).text() == "127.0.0.1:80");
    REQUIRE(net::address(":80").endpoints(true).at(0).text() == "0.0.0.0:80");
    REQUIRE_THROWS_AS(net::address("127.0.0.1:80", "AF_INET6").endpoints(false), std::system_error);
}
