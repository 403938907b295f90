// Floor 7, net/secret: the key that both ends of a connection must know.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace multiprocessing::net {

/// A key, or none: what `.authkey` takes. A text, bytes, or nothing at all. (An empty key is a key.)
///
///     mp::connection::Listener listener({.authkey = "secret"});
///     mp::connection::Client(address, {.authkey = mp::current_process().authkey()});
class secret {
public:
    secret() noexcept = default;
    secret(std::nullopt_t) noexcept {} // NOLINT(google-explicit-constructor): this one and those below are made for that
    template <typename Text>
        requires std::convertible_to<const Text&, std::string_view>
    secret(const Text& text) : secret(std::as_bytes(std::span(std::string_view(text)))) {} // NOLINT
    secret(std::span<const std::byte> bytes) : bytes_(std::in_place, bytes.begin(), bytes.end()) {} // NOLINT
    secret(const std::vector<std::byte>& bytes) : bytes_(bytes) {} // NOLINT
    secret(std::optional<std::vector<std::byte>> bytes) noexcept : bytes_(std::move(bytes)) {} // NOLINT

    [[nodiscard]] explicit operator bool() const noexcept { return bytes_.has_value(); }
    [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_.value(); }

private:
    std::optional<std::vector<std::byte>> bytes_;
};

} // namespace multiprocessing::net
