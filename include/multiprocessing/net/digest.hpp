// Floor 7, net/digest: keyed digests, by OpenSSL's libcrypto, which is looked for when the first one is wanted.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/os/library.hpp>

namespace multiprocessing::net {

/// What libcrypto does for us. Neither its headers nor linking with it is needed: the functions' types haven't changed since
/// OpenSSL 1.1, and stand here.
///
/// - Threads: safe.
/// - Errors: ProcessError when there is no libcrypto, or when it refuses a digest (a system in FIPS mode has no MD5).
class crypto {
public:
    explicit crypto(std::span<const char* const> names);

    /// Loaded once in a process. Throws while it can't be.
    [[nodiscard]] static const crypto& here();

    /// HMAC of the message. `digest` is one of those that knows() knows.
    [[nodiscard]] std::vector<std::byte> hmac(std::string_view digest, std::span<const std::byte> key,
                                              std::span<const std::byte> message) const;

    /// In a time that depends on their sizes alone.
    [[nodiscard]] bool equal(std::span<const std::byte> a, std::span<const std::byte> b) const noexcept {
        return a.size() == b.size() && (a.empty() || compare_(a.data(), b.data(), a.size()) == 0);
    }

private:
    using make_hmac = unsigned char*(const void* digest, const void* key, int key_size, const unsigned char* message,
                                     std::size_t size, unsigned char* to, unsigned int* to_size);
    using compare_memory = int(const void*, const void*, std::size_t);

    os::library library_;
    make_hmac* hmac_ = nullptr;
    compare_memory* compare_ = nullptr;
};

/// A digest that CPython's challenge may name, as it is called there and in libcrypto.
struct digest_name {
    std::string_view name;
    const char* function;
};
inline constexpr std::array<digest_name, 5> digests{{{"md5", "EVP_md5"},
                                                     {"sha256", "EVP_sha256"},
                                                     {"sha384", "EVP_sha384"},
                                                     {"sha3_256", "EVP_sha3_256"},
                                                     {"sha3_384", "EVP_sha3_384"}}};

/// Null when it is none of them.
[[nodiscard]] inline const digest_name* find_digest(std::string_view name) noexcept {
    for (const auto& each : digests)
        if (each.name == name) return &each;
    return nullptr;
}

inline crypto::crypto(std::span<const char* const> names)
    : library_(names), hmac_(library_.function<make_hmac>("HMAC")), compare_(library_.function<compare_memory>("CRYPTO_memcmp")) {
    if (hmac_ == nullptr || compare_ == nullptr)
        throw ProcessError("OpenSSL's libcrypto can't be loaded, and without it no connection can be authenticated: install it "
                           "(Debian and Ubuntu: libssl3; Fedora: openssl-libs)");
}

inline const crypto& crypto::here() {
    static constexpr std::array<const char*, 3> names{"libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so"};
    static const crypto loaded(names);
    return loaded;
}

inline std::vector<std::byte> crypto::hmac(std::string_view digest, std::span<const std::byte> key,
                                           std::span<const std::byte> message) const {
    const digest_name* const known = find_digest(digest);
    if (known == nullptr) throw ValueError("no such digest: " + std::string(digest));
    const auto find = library_.function<const void*()>(known->function);
    std::array<unsigned char, 64> made{}; // EVP_MAX_MD_SIZE
    unsigned int size = 0;
    const unsigned char nothing = 0; // a null key would mean another thing
    const void* const key_bytes = key.empty() ? static_cast<const void*>(&nothing) : key.data();
    const void* const which = find != nullptr ? find() : nullptr;
    if (which == nullptr ||
        hmac_(which, key_bytes, static_cast<int>(key.size()),
              message.empty() ? &nothing : reinterpret_cast<const unsigned char*>(message.data()), message.size(), made.data(),
              &size) == nullptr)
        throw ProcessError("OpenSSL's libcrypto makes no " + std::string(digest) + " digests on this system");
    const auto bytes = std::as_bytes(std::span(made)).first(size);
    return {bytes.begin(), bytes.end()};
}

} // namespace multiprocessing::net
